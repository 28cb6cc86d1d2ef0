"""LongBench.grade: from a row of the data to the grade of an answer, and rows that could not be graded."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from transformers import PreTrainedTokenizerBase as Tokenizer

from tests.command import Command
from tokenrank.tasks.longbench import LongBench

READS = 8192  # tokens


def longbench(folder: Path, **rows: list[dict[str, Any]]) -> LongBench:
    """The task on subsets with these rows, written to the folder."""
    (folder / "dataset2prompt.json").write_text(json.dumps(dict.fromkeys(rows, "{context}{input}")))
    (folder / "dataset2maxlen.json").write_text(json.dumps(dict.fromkeys(rows, 8)))
    for subset in rows:
        (folder / f"{subset}.jsonl").write_text("\n".join(json.dumps(row) for row in rows[subset]))
    return LongBench(subset=list(rows), path=str(folder))


def question(*answers: str, **fields: Any) -> dict[str, Any]:
    return {"input": "?", "context": "Text. " * 20, "answers": list(answers), **fields}


@pytest.mark.parametrize(
    ("subset", "fields", "answers", "said", "wanted"),
    [
        ("qasper", {}, ["London", "Paris, France"], "Paris\nIt is.", 2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2)),
        ("triviaqa", {"all_classes": None}, ["Paris, France"], "\nParis\nIt is.", 2 / 3),
        ("samsum", {}, ["Tom is late"], "Tom was late\nDialogue: x", 2 / 3),
        ("trec", {"all_classes": ["Food", "Date"]}, ["Date"], "Date or Food", 1 / 2),
        ("passage_count", {}, ["5"], "5 of 12", 1 / 2),
        ("passage_retrieval_en", {}, ["Paragraph 3"], "3", 1),
        ("lcc", {}, ["return y"], "```\nreturn x", 0.88),
    ],
)
def test_an_answer_is_graded_as_its_subset_is(
    tmp_path: Path,
    byte_tokenizer: Tokenizer,
    subset: str,
    fields: dict[str, Any],
    answers: list[str],
    said: str,
    wanted: float,
) -> None:
    task = longbench(tmp_path, **{subset: [question(*answers, **fields)]})
    (prompt,) = task.prompts(byte_tokenizer, READS)
    assert prompt.classes == tuple(fields.get("all_classes") or ())
    assert task.grade(prompt, said) == pytest.approx(wanted)


def test_a_subset_of_ones_own_or_without_right_answers_has_no_grade(tmp_path: Path, byte_tokenizer: Tokenizer) -> None:
    task = longbench(tmp_path, tales=[question("Paris")], qasper=[question()])
    tale, unanswered = task.prompts(byte_tokenizer, READS)
    assert task.grade(tale, "Paris") is None
    assert task.grade(unanswered, "Paris") is None


@pytest.mark.parametrize(
    ("subset", "fields"),
    [
        ("trec", {}),
        ("trec", {"all_classes": None}),
        ("trec", {"all_classes": []}),
        ("trec", {"all_classes": "Date"}),
        ("trec", {"all_classes": ["Date", 1]}),
        ("qasper", {"all_classes": {"Date": 1}}),
    ],
)
def test_a_row_without_the_classes_that_it_needs_is_named(
    tmp_path: Path, byte_tokenizer: Tokenizer, subset: str, fields: dict[str, Any]
) -> None:
    rows = [question("Date", all_classes=["Date"]), question("Date", **fields)]
    with pytest.raises(ValueError, match=rf"row {subset}_1 of LongBench: all_classes is .*, must be a list"):
        longbench(tmp_path, **{subset: rows}).prompts(byte_tokenizer, READS)


def test_a_row_that_cannot_be_graded_is_named(tmp_path: Path, byte_tokenizer: Tokenizer) -> None:
    rows = [question("Paragraph 3"), question("3")]
    with pytest.raises(ValueError, match=r"row passage_retrieval_en_1 of LongBench: answer is '3', must hold"):
        longbench(tmp_path, passage_retrieval_en=rows).prompts(byte_tokenizer, READS)


def test_a_run_records_the_scores(tmp_path: Path, tokenrank: Command) -> None:
    """Once to learn what the model says, once with that as one of the right answers."""
    said, scores = "nothing of the kind", []
    for run in ("first", "second"):
        longbench(tmp_path, gov_report=[question("one", said)], tales=[question("Paris")])
        small = ["model=tiny", "metric=[recall]", "heuristic=recency", f"hydra.run.dir={tmp_path / run}"]
        ended = tokenrank(*small, "task=longbench", "task.subset=[gov_report,tales]", f"task.path={tmp_path}")
        assert ended.code == 0, ended.err
        table = pd.read_parquet(tmp_path / run / "samples.parquet").set_index("id")
        assert table["accuracy"].isna().to_dict() == {"gov_report_0": False, "tales_0": True}
        scores.append(table["accuracy"]["gov_report_0"])
        said = str(table["answer"]["gov_report_0"])
    assert scores[0] < 0.5
    assert scores[1] == 1
