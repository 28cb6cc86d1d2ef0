"""Evidence of prompts: where the fields of a row lie, to the token; what RULER hides; what a cut takes; which values are refused."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from transformers import PreTrainedTokenizerBase as Tokenizer

from tests.tasks.spelling import holding, spelled
from tests.tasks.test_ruler_hidden import ASSIGNMENT, NEEDLE
from tests.tasks.tokenizers_of_kinds import KINDS, smollm2
from tests.tasks.tokenizers_that_merge import MERGING
from tokenrank.tasks.niah import NeedleInAHaystack
from tokenrank.tasks.prompts import OwnPrompts
from tokenrank.tasks.ruler import Ruler
from tokenrank.tasks.task import Prompt

EVERY = KINDS | MERGING
READS = 8192
TEXT = (
    "Read.\n" + " ".join(f"Box {n} holds {n * 7919} coins." for n in range(40)) + "\nWhich box is “the\nbox”, and why?"
)
BOXES = ("Box 3 holds 23757 coins", "Box 21 holds 166299 coins.", "Box 39 holds")


def written(tmp_path: Path, rows: list[dict[str, Any]], **settings: Any) -> OwnPrompts:
    file = tmp_path / "own.jsonl"
    file.write_text("\n".join(json.dumps({"id": str(n)} | each) for n, each in enumerate(rows)))
    return OwnPrompts(path=str(file), **settings)


def decoded(tokenizer: Tokenizer, prompt: Prompt) -> list[str]:
    """The text of each span, with what else its first and last tokens hold."""
    return [str(tokenizer.decode([prompt.input_ids[place] for place in span])) for span in prompt.evidence]


@pytest.mark.parametrize("chat_template", [True, False])
@pytest.mark.parametrize("kind", EVERY)
def test_evidence_is_the_tokens_that_hold_its_characters(tmp_path: Path, kind: str, chat_template: bool) -> None:
    """Read token by token out of the vocabulary; texts and places may be given in any order."""
    tokenizer = EVERY[kind]()
    at = TEXT.index(BOXES[1])
    task = written(
        tmp_path,
        [{"prompt": TEXT, "evidence": [BOXES[2], [at, at + len(BOXES[1])], BOXES[0]]}],
        chat_template=chat_template,
    )
    (prompt,) = task.prompts(tokenizer, READS)
    text, held = spelled(tokenizer, prompt.input_ids)
    assert list(prompt.evidence) == [
        holding(held, range(text.index(each), text.index(each) + len(each))) for each in BOXES
    ]


def test_pieces_that_overlap_are_one(tmp_path: Path, byte_tokenizer: Tokenizer) -> None:
    pieces = ["It is", "is blue", [0, 5], " box."]
    (prompt,) = written(tmp_path, [{"prompt": "It is blue. A box.", "evidence": pieces}]).prompts(byte_tokenizer, READS)
    assert decoded(byte_tokenizer, prompt) == ["It is blue", " box."]
    assert prompt.needle is None


def test_one_piece_is_the_needle_and_no_evidence_is_none(tmp_path: Path, byte_tokenizer: Tokenizer) -> None:
    rows: list[dict[str, Any]] = [
        {"prompt": "It is blue.", "evidence": ["blue"]}, {"prompt": "Why?", "evidence": []}, {"prompt": "Why?"},
    ]  # fmt: skip
    one, empty, none = written(tmp_path, rows).prompts(byte_tokenizer, READS)
    assert one.needle == one.evidence[0]
    assert (empty.evidence, none.evidence, empty.needle) == ((), (), None)


def test_what_the_cut_takes_is_no_evidence_and_is_said(
    tmp_path: Path, byte_tokenizer: Tokenizer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 100 bytes the first 20 and the last 20 stay."""
    text = "".join(f"{n:03d} " for n in range(25))
    rows = [
        {"prompt": text, "evidence": ["001", "004 005", "010", "020 021"]},  # whole, cut in two, gone, whole
        {"prompt": text, "evidence": ["000"]},
        {"prompt": text, "evidence": ["012"]},
    ]
    first, whole, gone = written(tmp_path, rows, max_tokens=40).prompts(byte_tokenizer, READS)
    assert decoded(byte_tokenizer, first) == ["001", "020 021"]
    assert decoded(byte_tokenizer, whole) == ["000"]
    assert gone.evidence == ()
    assert "note: 3 pieces of evidence of 2 of 3 prompts of " in capsys.readouterr().err
    written(tmp_path, rows).prompts(byte_tokenizer, READS)
    assert "evidence" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        ("blue", "the evidence is 'blue', must be a list, of which each must be a text"),
        (["blue", "red"], "number 2 of the evidence is 'red', which the prompt holds not at all, must be a text"),
        (["b"], "number 1 of the evidence is 'b', which the prompt holds several times"),
        ([""], "number 1 of the evidence is '', must be a text"),
        ([3, 7], "number 1 of the evidence is 3, must be a text"),
        ([[3]], r"number 1 of the evidence is \[3\], must be a text"),
        ([[3, 7.0]], r"number 1 of the evidence is \[3, 7.0\], must be a text"),
        ([[True, 7]], r"number 1 of the evidence is \[True, 7\], must be a text"),
        ([[3, 99]], r"number 1 of the evidence is \[3, 99\], and the prompt has 19 characters: must be a text"),
        ([[-1, 3]], r"number 1 of the evidence is \[-1, 3\], and the prompt has"),
        ([[3, 3]], r"number 1 of the evidence is \[3, 3\], and the prompt has"),
    ],
)
def test_values_that_are_no_evidence_are_refused(
    tmp_path: Path, byte_tokenizer: Tokenizer, evidence: Any, said: str
) -> None:
    rows = [
        {"prompt": "It is blue. A blot.", "evidence": ["blue", [0, 19]]},
        {"prompt": "It is blue. A blot.", "evidence": evidence},
    ]
    with pytest.raises(ValueError, match=rf"own\.jsonl, line 2, id '1': {said}"):
        written(tmp_path, rows).prompts(byte_tokenizer, READS)


def test_csv_and_parquet_hold_evidence_too(tmp_path: Path, byte_tokenizer: Tokenizer) -> None:
    text = "It is blue. A box."
    (tmp_path / "a.csv").write_text(f'prompt,evidence\n{text},blue\n{text},"[""box"",[0,2]]"\n{text},\n')
    pd.DataFrame({"prompt": [text] * 2, "evidence": [[[0, 2], [6, 10]], None]}).to_parquet(tmp_path / "a.parquet")
    found = [
        [decoded(byte_tokenizer, each) for each in OwnPrompts(path=str(tmp_path / name)).prompts(byte_tokenizer, READS)]
        for name in ("a.csv", "a.parquet")
    ]
    assert found == [[["blue"], ["It", "box"], []], [["It", "blue"], []]]


def test_in_csv_one_text_is_a_list_of_one(tmp_path: Path, byte_tokenizer: Tokenizer) -> None:
    (tmp_path / "a.csv").write_text("prompt,evidence\nIt is blue.,[blue\n")
    with pytest.raises(ValueError, match=r"a\.csv, line 2: the cell of evidence begins with \[, must be a JSON list"):
        OwnPrompts(path=str(tmp_path / "a.csv")).prompts(byte_tokenizer, READS)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "kind", ["niah_single", "niah_multikey", "niah_multikey_2", "niah_multivalue", "niah_multiquery"]
)
def test_evidence_of_ruler_is_every_needle_that_was_asked_for(kind: str, seed: int) -> None:
    tokenizer = smollm2()
    (prompt,) = Ruler([kind], [1500], seed=seed).prompts(tokenizer, READS)
    said = [NEEDLE.fullmatch(each) for each in decoded(tokenizer, prompt)]
    assert all(said)
    assert sorted(each[2] for each in said if each) == sorted(prompt.answers)
    assert len(prompt.evidence) == (4 if kind in ("niah_multivalue", "niah_multiquery") else 1)
    assert prompt.context is not None
    assert all(set(each) <= set(prompt.context) for each in prompt.evidence)
    assert (prompt.needle is None) == (len(prompt.evidence) > 1)


def test_evidence_of_variable_tracking_is_the_chain() -> None:
    """Not that of the worked example, which is part of the frame."""
    tokenizer = smollm2()
    (prompt,) = Ruler(["vt"], [1600]).prompts(tokenizer, READS)
    chain = [ASSIGNMENT.fullmatch(each.strip()) for each in decoded(tokenizer, prompt)]
    assert tuple(each[1] for each in chain if each) == prompt.answers
    assert all(each and before and each[2] == before[1] for before, each in pairwise(chain))


def test_counted_words_have_no_evidence() -> None:
    assert all(prompt.evidence == () for prompt in Ruler(["cwe", "fwe"], [2000]).prompts(smollm2(), READS))


@pytest.mark.parametrize("depth", [0, 50, 100])
def test_evidence_of_a_needle_is_the_needle(depth: float) -> None:
    (prompt,) = NeedleInAHaystack([400], [depth]).prompts(smollm2(), READS)
    (said,) = decoded(smollm2(), prompt)
    assert said.startswith(" The code number of ")
    assert said.endswith(f" is {prompt.answers[0]}.")
    assert prompt.evidence == (prompt.needle,)


@pytest.mark.parametrize(
    "spans",
    [(range(3, 3),), (range(5, 7), range(1, 2)), (range(1, 4), range(3, 5)), (range(8, 11),), (range(-1, 2),)],
)
def test_spans_of_a_prompt_are_in_order_without_overlap_and_not_empty(spans: tuple[range, ...]) -> None:
    Prompt("a", "mine", tuple(range(10)), 1, evidence=(range(2), range(2, 5), range(9, 10)))
    with pytest.raises(
        ValueError, match=r"^the evidence of prompt a of mine is .*, must be ranges of its 10 tokens, none empty"
    ):
        Prompt("a", "mine", tuple(range(10)), 1, evidence=spans)
