"""The conversions of docs/prompts.md, run on rows in the data sets' formats: the spans of the prompts are what the data name."""

import re
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase as Tokenizer

from tests.tasks.tokenizers_of_kinds import smollm2
from tokenrank.tasks.prompts import OwnPrompts
from tokenrank.tasks.task import Prompt

DOCS = Path(__file__).parents[2] / "docs" / "prompts.md"
HOTPOTQA = {
    "question": "Who wrote the book of the island?",
    "answer": "Ada",
    "context": {
        "title": ["The island", "Ada", "Box"],
        "sentences": [["It is an island.", " A book is about it."], ["Ada wrote it.", " She is old."], ["A box."]],
    },
    "supporting_facts": {"title": ["The island", "Ada"], "sent_id": [1, 0]},
}
LONGMEMEVAL = {
    "question": "Which box did I buy?",
    "answer": 7,
    "haystack_sessions": [
        [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hello."}],
        [
            {"role": "user", "content": "I bought box 7.", "has_answer": True},
            {"role": "assistant", "content": "Good.", "has_answer": False},
        ],
    ],
}
LOOGLE = {
    "question": "Who is old?",
    "answer": "Ada",
    "context": "Ada is old. Bob is young. Bob is young. Cy is tall.",
    "evidence": ["Ada is old.", "Bob is young.", "Dan is here."],
}


def conversions() -> dict[str, Any]:
    """The functions of the page's Python block."""
    (code,) = re.findall(
        r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8").split("\n## Evidence\n")[1], re.DOTALL
    )
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102
    return names


def made(tmp_path: Path, tokenizer: Tokenizer, rows: list[dict[str, Any]]) -> list[Prompt]:
    conversions()["write"](tmp_path / "rows.jsonl", rows)
    return OwnPrompts(path=str(tmp_path / "rows.jsonl"), chat_template=True).prompts(tokenizer, 4096)


@pytest.mark.parametrize(
    ("name", "row", "spans"),
    [
        ("hotpotqa", HOTPOTQA, [" A book is about it.", "Ada wrote it."]),
        ("longmemeval", LONGMEMEVAL, ["I bought box 7."]),
        ("loogle", LOOGLE, ["Ada is old."]),
    ],
)
def test_the_spans_are_what_the_data_name(tmp_path: Path, name: str, row: dict[str, Any], spans: list[str]) -> None:
    tokenizer = smollm2()
    (prompt,) = made(tmp_path, tokenizer, [conversions()[name](row)])
    assert [str(tokenizer.decode([prompt.input_ids[at] for at in span])).strip() for span in prompt.evidence] == [
        each.strip() for each in spans
    ]
    assert prompt.answers == (str(row["answer"]),)
    assert prompt.context is not None
    assert prompt.question is not None
    assert all(set(span) <= set(prompt.context) for span in prompt.evidence)
    assert str(tokenizer.decode([prompt.input_ids[at] for at in prompt.question])).strip() == row["question"]


def test_quotations_that_are_not_there_once_are_counted() -> None:
    assert conversions()["loogle"](LOOGLE)["not_found"] == 2
