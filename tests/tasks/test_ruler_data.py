"""RulerData: how a row becomes a prompt, which rows are drawn, the grade, one run, and what is refused."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from transformers import PreTrainedTokenizerBase as Tokenizer

from tests.command import Command
from tests.tasks.tokenizers_of_kinds import KINDS
from tokenrank.tasks.ruler_data import RulerData
from tokenrank.tasks.task import Prompt

SIZES = {"vt": 5, "qa_1": 4, "niah_single_1": 1}
NEW_TOKENS = {"vt": 30, "qa_1": 32, "niah_single_1": 128}
READS = 8192  # tokens


def row(name: str, number: int, **fields: Any) -> dict[str, Any]:
    return {
        "context": f"{name} {number}: {'Some text. ' * 30}",
        "question": "Which?",
        "answer_prefix": "They are:",
        "answer": ["Alpha", "BETA"],
        "task": name,
        "max_new_tokens": NEW_TOKENS[name],
    } | fields


def every() -> list[dict[str, Any]]:
    """Rows of the three tasks, mixed."""
    return [row(name, number) for number in range(5) for name, size in SIZES.items() if number < size]


def task(tmp_path: Path, rows: list[dict[str, Any]] | None = None, **settings: Any) -> RulerData:
    file = tmp_path / "data.jsonl"
    file.write_text("\n".join(json.dumps(each) for each in rows or every()))
    return RulerData(path=str(file), **settings)


def text(tokenizer: Tokenizer, prompt: Prompt) -> str:
    return str(tokenizer.decode(list(prompt.input_ids)))


@pytest.mark.parametrize("chat_template", [True, False])
def test_a_row_becomes_a_prompt_that_ends_with_its_answer_prefix(
    tmp_path: Path, byte_tokenizer: Tokenizer, chat_template: bool
) -> None:
    prompts = task(tmp_path, chat_template=chat_template).prompts(byte_tokenizer, READS)
    assert [prompt.id for prompt in prompts] == [f"{name}_{i}" for name, size in SIZES.items() for i in range(size)]
    for prompt in prompts:
        name, _, number = prompt.id.rpartition("_")
        message = row(name, int(number))["context"] + "Which?"
        framed = f"<user>{message}</user><assistant>They are:" if chat_template else f"{message}\nThey are:"
        assert text(byte_tokenizer, prompt) == framed
        assert (prompt.task, prompt.max_new_tokens) == (f"ruler_data/{name}", NEW_TOKENS[name])
        assert (prompt.answers, prompt.cut_tokens, prompt.needle) == (("Alpha", "BETA"), 0, None)


@pytest.mark.parametrize("kind", KINDS)
def test_names_of_control_tokens_in_context_and_prefix_are_text(tmp_path: Path, kind: str) -> None:
    tokenizer = KINDS[kind]()
    rows = [row("vt", 0), row("vt", 1, context="One <|im_end|></s>[gMASK] two.", answer_prefix="So <|end|></s>")]
    for chat_template in (True, False):
        plain, named = task(tmp_path, rows, chat_template=chat_template).prompts(tokenizer, READS)
        control = set(tokenizer.added_tokens_decoder)
        assert [token for token in named.input_ids if token in control] == [
            token for token in plain.input_ids if token in control
        ]


def needle(value: str, name: str = "old-car") -> str:
    return f"One of the special magic numbers for {name} is: {value}."


@pytest.mark.parametrize("chat_template", [True, False])
def test_the_statements_that_are_asked_for_are_evidence(
    tmp_path: Path, byte_tokenizer: Tokenizer, chat_template: bool
) -> None:
    said = [needle("12"), needle("77", "new-car"), needle("345")]  # nobody asks for the second
    context = " ".join(["Grass is green.", said[0], "The sky is blue.", said[1], said[2], "Done."])
    given = [row("niah_single_1", 0, context=context, answer=["345", "12"])]
    [prompt] = task(tmp_path, given, chat_template=chat_template).prompts(byte_tokenizer, READS)
    own = [str(byte_tokenizer.decode(list(prompt.input_ids[each.start : each.stop]))) for each in prompt.evidence]
    assert own == [said[0], said[2]]
    [cut] = task(tmp_path, given, chat_template=chat_template, max_tokens=120).prompts(byte_tokenizer, READS)
    assert cut.cut_tokens > 0
    assert len(cut.evidence) < 2  # what was cut is no evidence


@pytest.mark.parametrize(
    "context", [f"{needle('12')} Again: {needle('12')}", "It is 12.", needle("123")], ids=["twice", "words", "longer"]
)
def test_without_one_statement_for_each_reference_there_is_no_evidence(
    tmp_path: Path, byte_tokenizer: Tokenizer, context: str
) -> None:
    [prompt] = task(tmp_path, [row("niah_single_1", 0, context=context, answer=["12"])]).prompts(byte_tokenizer, READS)
    assert prompt.evidence == ()


def test_an_answers_length_and_template_arguments_can_be_set(tmp_path: Path) -> None:
    tokenizer = KINDS["qwen3"]()
    settings: dict[str, Any] = {"max_new_tokens": 7, "template": {"enable_thinking": False}}
    for prompt in task(tmp_path, **settings).prompts(tokenizer, READS):
        assert prompt.max_new_tokens == 7
        assert text(tokenizer, prompt).endswith("<think>\n\n</think>\n\nThey are:")
    with pytest.raises(ValueError, match=r"task\.max_new_tokens is 0, must be at least 1, or null"):
        task(tmp_path, max_new_tokens=0)


def test_a_subset_is_taken_in_its_own_order(tmp_path: Path, byte_tokenizer: Tokenizer) -> None:
    prompts = task(tmp_path, subset=["niah_single_1", "vt"]).prompts(byte_tokenizer, READS)
    assert list(Counter(prompt.task for prompt in prompts).items()) == [
        ("ruler_data/niah_single_1", 1),
        ("ruler_data/vt", 5),
    ]


def test_samples_are_spread_over_the_subsets_and_drawn_by_the_seed(tmp_path: Path, byte_tokenizer: Tokenizer) -> None:
    drawn = [
        [prompt.id for prompt in task(tmp_path, samples=5, seed=seed).prompts(byte_tokenizer, READS)]
        for seed in (0, 0, 1, 2)
    ]
    assert drawn[0] == drawn[1]
    assert len({tuple(each) for each in drawn}) > 1
    for each in drawn:
        assert sorted(Counter(name.rpartition("_")[0] for name in each).values()) == [1, 2, 2]


@pytest.mark.parametrize(("limit", "readable"), [(200, READS), (None, 230)])
def test_too_long_a_prompt_is_cut_in_the_middle(
    tmp_path: Path, byte_tokenizer: Tokenizer, limit: int | None, readable: int
) -> None:
    whole = task(tmp_path).prompts(byte_tokenizer, READS)
    for full, prompt in zip(whole, task(tmp_path, max_tokens=limit).prompts(byte_tokenizer, readable), strict=True):
        kept = min(limit or readable, readable - prompt.max_new_tokens)
        assert (len(prompt.input_ids), prompt.cut_tokens) == (kept, len(full.input_ids) - kept)
        assert text(byte_tokenizer, prompt).startswith(f"<user>{full.id.rpartition('_')[0]} ")
        assert text(byte_tokenizer, prompt).endswith("Which?</user><assistant>They are:")


def test_questions_about_documents_need_one_reference_and_the_others_all(
    tmp_path: Path, byte_tokenizer: Tokenizer
) -> None:
    data = task(tmp_path)
    scores = {
        prompt.task.partition("/")[2]: [data.grade(prompt, answer) for answer in ("alpha and beta", "only Beta", "no")]
        for prompt in data.prompts(byte_tokenizer, READS)
    }
    assert scores == {"vt": [1, 0.5, 0], "qa_1": [1, 1, 0], "niah_single_1": [1, 0.5, 0]}


def test_an_unknown_subset_is_refused_with_those_there_are(tmp_path: Path, byte_tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match=r"task\.subset holds 'cwe', .* they have vt, qa_1, niah_single_1"):
        task(tmp_path, subset=["vt", "cwe"]).prompts(byte_tokenizer, READS)


def test_a_task_must_be_fit_for_a_file_name(tmp_path: Path, byte_tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match=r"id '\.\./vt_0' must be fit for a file's name"):
        task(tmp_path, [row("vt", 0, task="../vt")]).prompts(byte_tokenizer, READS)


def test_an_answer_longer_than_the_model_reads_is_refused(tmp_path: Path, byte_tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match="max_new_tokens of prompt vt_0 is 30, and the model reads 30"):
        task(tmp_path, subset=["vt"]).prompts(byte_tokenizer, 30)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"subset": []}, r"task\.subset is empty"),
        ({"samples": 0}, r"task\.samples is 0"),
        ({"max_tokens": 0}, r"task\.max_tokens is 0"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RulerData(**settings)


def test_without_a_path_the_rows_come_from_the_hub(byte_tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def rows(*names: str) -> list[dict[str, Any]]:
        asked.append(names)
        return every()

    monkeypatch.setattr("tokenrank.tasks.ruler_data.hub_rows", rows)
    assert len(RulerData(length=8192).prompts(byte_tokenizer, READS)) == 10
    assert asked == [("simonjegou/ruler", "8192", "test", "main")]


def test_a_run_ranks_a_file(tokenrank: Command, tmp_path: Path) -> None:
    path = task(tmp_path).path
    ended = tokenrank(
        *("model=tiny", "task=ruler_data", f"task.path={path}", "task.subset=[vt,qa_1]", "task.samples=2"),
        *("heuristic=random", "metric=recall"),
    )
    assert ended.code == 0, ended.err
    samples = pd.read_parquet(tmp_path / "run" / "samples.parquet")
    assert list(samples["task"]) == ["ruler_data/vt", "ruler_data/qa_1"]
    assert samples["accuracy"].between(0, 1).all()
