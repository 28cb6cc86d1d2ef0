"""Context and question of every task's prompts, to the token: over tokenizers, protocols, chat templates and cuts.

What a token holds is read from the vocabulary. LongBench's own rows are not part of the project: their folder is looked for
beside the checkout, in ``../shared/longbench``, or where ``TOKENRANK_LONGBENCH`` says; without it their tests are skipped.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.spelling import check_parts, spelled
from tests.tasks.tokenizers_of_kinds import KINDS, smollm2
from tests.tasks.tokenizers_that_merge import MERGING, gpt2
from tokenrank.evaluation.universe import Universe
from tokenrank.tasks import ruler_counted, ruler_hidden
from tokenrank.tasks.longbench import LongBench
from tokenrank.tasks.longbench_protocol import PROTOCOLS
from tokenrank.tasks.niah import TASK, NeedleInAHaystack
from tokenrank.tasks.random_tokens import RandomTokens
from tokenrank.tasks.ruler import KINDS as RULER_KINDS
from tokenrank.tasks.ruler import Ruler
from tokenrank.tasks.ruler_data import RulerData
from tokenrank.tasks.task import Prompt

EVERY = KINDS | MERGING
READS = 8192  # tokens
REAL = Path(os.environ.get("TOKENRANK_LONGBENCH", Path(__file__).parents[3] / "shared" / "longbench")).absolute()
REAL_SUBSETS = sorted(file.stem for file in REAL.glob("*.jsonl") if "_mini" not in file.stem)
WORDS = {
    "qasper": ("Read.\n", "\nAsked: {input}\nSaid:"),
    "trec": ("Kinds.", "{input}"),
    "gov_report": ("Read.\n\n", " \n\nSum up:"),
}
CONTEXT = " “The box” , " + ", ".join(f"the number of box {n} is {n * 7919} .\nWhy?" for n in range(60)) + "\nIt is”."
INPUT = " What “is\n\nthe” box?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """LongBench's files with one row a subset."""
    made = tmp_path_factory.mktemp("longbench")
    words = {name: f"{front}{{context}}{back}" for name, (front, back) in WORDS.items()}
    (made / "dataset2prompt.json").write_text(json.dumps(words))
    (made / "dataset2maxlen.json").write_text(json.dumps(dict.fromkeys(WORDS, 20)))
    for name in WORDS:
        row = {"context": CONTEXT, "input": INPUT, "answers": ["a"], "all_classes": ["a", "b"]}
        (made / f"{name}.jsonl").write_text(json.dumps(row))
    return made


@pytest.mark.parametrize("limit", [None, 460, 461])
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", EVERY)
def test_longbench(folder: Path, kind: str, protocol: str, limit: int | None) -> None:
    """With the chat template and without, whole and cut."""
    tokenizer = EVERY[kind]()
    task = LongBench(list(WORDS), path=str(folder), max_tokens=limit, protocol=protocol, without_chat_template=["trec"])
    for prompt in task.prompts(tokenizer, READS):
        front, back = WORDS[prompt.task.removeprefix("longbench/")]
        question = INPUT if "{input}" in back else None
        assert (prompt.cut_tokens > 0) == (limit is not None)
        check_parts(tokenizer, prompt, before=front, after=back.format(input=INPUT), question=question)


def test_what_the_cut_leaves_nothing_of_is_no_part(folder: Path) -> None:
    """At 30 tokens the ends of the chat template alone stay; at 60 the end of the question is there, and none of the context."""
    task = {limit: LongBench(["qasper"], path=str(folder), max_tokens=limit) for limit in (30, 60)}
    (ends,), (more,) = (task[limit].prompts(smollm2(), READS) for limit in task)
    assert (ends.context, ends.question) == (None, None)
    assert more.context is None
    assert more.question is not None
    left = spelled(smollm2(), [more.input_ids[at] for at in more.question])[0]
    assert INPUT.endswith(left)


@pytest.mark.parametrize(("context", "asked"), [("", "Why?"), ("The box.", "")])
def test_an_empty_field_is_no_part(tmp_path: Path, context: str, asked: str) -> None:
    (tmp_path / "dataset2prompt.json").write_text(json.dumps({"qasper": "Read {context}. {input}"}))
    (tmp_path / "dataset2maxlen.json").write_text(json.dumps({"qasper": 20}))
    (tmp_path / "qasper.jsonl").write_text(json.dumps({"context": context, "input": asked, "answers": []}))
    for protocol in PROTOCOLS:
        (prompt,) = LongBench(["qasper"], path=str(tmp_path), protocol=protocol).prompts(gpt2(), READS)
        assert (prompt.context is None, prompt.question is None) == (not context, not asked)


@pytest.mark.parametrize("chat_template", [True, False])
@pytest.mark.parametrize("kind", EVERY)
def test_niah(kind: str, chat_template: bool) -> None:
    """The context is the haystack with the needle."""
    tokenizer = EVERY[kind]()
    task = NeedleInAHaystack([400], [0, 50, 100], chat_template=chat_template)
    for prompt in task.prompts(tokenizer, READS):
        text, _ = spelled(tokenizer, prompt.input_ids)
        question = text[text.rindex("What is the code number of") : text.rindex("?") + 1]
        check_parts(tokenizer, prompt, before=TASK, after=f"\n\n{question}", question=question)
        assert prompt.needle is not None
        assert prompt.context is not None
        assert set(prompt.needle) <= set(prompt.context)


@pytest.mark.parametrize("chat_template", [True, False])
@pytest.mark.parametrize("kind", EVERY)
def test_ruler(kind: str, chat_template: bool) -> None:
    """Every kind: the passage is the context; a worked example before it is not."""
    tokenizer = EVERY[kind]()
    for prompt in Ruler(list(RULER_KINDS), [3600], chat_template=chat_template).prompts(tokenizer, READS):
        name = prompt.task.removeprefix("ruler/")
        front, last = {
            "vt": (ruler_hidden._tracking("").instruction, "Question: Which variables of"),
            "cwe": (ruler_counted.COMMON_WORDS.instruction, "Question: Which 10 words"),
            "fwe": (ruler_counted.FREQUENT_WORDS.instruction, "Question: Which 3 code"),
        }.get(name, ("the question comes after the text.\n\n", "What "))
        text, _ = spelled(tokenizer, prompt.input_ids)
        asked = text.rindex(f"\n\n{last}") + 2
        end = "explain nothing." if name == "fwe" else "?"
        question = text[asked : text.index(end, asked) + len(end)]
        check_parts(tokenizer, prompt, before=front, after=f"\n\n{question}", question=question)


@pytest.mark.parametrize("limit", [None, 460])
@pytest.mark.parametrize("kind", EVERY)
def test_ruler_data(tmp_path: Path, kind: str, limit: int | None) -> None:
    """The columns context and question."""
    tokenizer = EVERY[kind]()
    row = {
        "context": CONTEXT,
        "question": INPUT,
        "answer_prefix": "So",
        "answer": ["a"],
        "task": "vt",
        "max_new_tokens": 9,
    }
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    for chat_template in (True, False):
        task = RulerData(str(tmp_path / "rows.jsonl"), max_tokens=limit, chat_template=chat_template)
        (prompt,) = task.prompts(tokenizer, READS)
        text, _ = spelled(tokenizer, prompt.input_ids)
        before = text[: text.index("“The box”")].removesuffix(" ")
        check_parts(tokenizer, prompt, before=before, after=INPUT, question=INPUT)


def test_random_tokens_have_no_parts() -> None:
    (prompt,) = RandomTokens([20]).prompts(gpt2(), READS)
    assert (prompt.context, prompt.question) == (None, None)


def test_the_check_of_these_tests_sees_one_token_more_or_less(folder: Path) -> None:
    """The control: a wrong range is caught."""
    tokenizer = gpt2()
    (prompt,) = LongBench(["qasper"], path=str(folder)).prompts(tokenizer, READS)
    front, back = WORDS["qasper"]
    context, question = prompt.context, prompt.question
    assert context is not None
    assert question is not None
    wrong: list[dict[str, Any]] = [
        {"context": range(context.start + 1, context.stop)},
        {"context": range(context.start, context.stop + 1)},
        {"question": range(question.start - 1, question.stop)},
        {"question": None},
    ]
    for change in wrong:
        with pytest.raises(AssertionError):
            check_parts(
                tokenizer,
                Prompt(**(vars(prompt) | change)),
                before=front,
                after=back.format(input=INPUT),
                question=INPUT,
            )


@pytest.mark.skipif(not REAL_SUBSETS, reason=f"LongBench's rows are not here: {REAL} does not exist")
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", ["gpt2", "llama3_merges"])
def test_longbench_real_rows(kind: str, protocol: str) -> None:
    """A row of each subset, cut to 6,000 tokens."""
    tokenizer = MERGING[kind]()
    templates = json.loads((REAL / "dataset2prompt.json").read_text())
    task = LongBench(
        REAL_SUBSETS, path=str(REAL), samples=len(REAL_SUBSETS), max_tokens=6000, protocol=protocol,
        without_chat_template=["trec", "triviaqa", "samsum", "lcc", "repobench-p"],
    )  # fmt: skip
    for prompt in task.prompts(tokenizer, READS):
        subset, _, number = prompt.id.rpartition("_")
        row = json.loads((REAL / f"{subset}.jsonl").read_text().split("\n")[int(number)])
        front, back = templates[subset].split("{context}")
        question = row["input"] if "{input}" in back and row["input"] else None
        check_parts(tokenizer, prompt, before=front, after=back.replace("{input}", row["input"]), question=question)
        assert prompt.context is not None
        tokens = [prompt.input_ids[at] for at in prompt.context]
        whole, first, last = (str(tokenizer.decode(part)) for part in (tokens, tokens[:1], tokens[-1:]))
        assert whole.index(row["context"][:20]) < len(first)
        assert len(whole) - 20 - whole.rindex(row["context"][-20:]) < len(last)
        places = Universe("context", window=8).places(prompt)
        assert places == range(prompt.context.start, min(prompt.context.stop, len(prompt.input_ids) - 8))
        ranked = str(tokenizer.decode([prompt.input_ids[at] for at in places]))
        assert whole.startswith(ranked)  # lcc and the few-shot subsets end with their context
