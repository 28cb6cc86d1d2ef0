"""Means by task: one line a task, and nothing where there is one task only."""

from dataclasses import replace
from typing import Any

from tests.report.contestant_examples import accuracy_tables
from tests.report.ranking_examples import at_layer, of_prompt, ranked
from tokenrank.records.schema import SUMMARY, concatenated, table
from tokenrank.report.task_means import contestants_by_task, ranking_by_task

Row = dict[str, Any]


def of_task(task: str, heuristic: str | None, value: float, **more: Any) -> Row:
    row = {"model": "m", "task": task, "heuristic": heuristic, "metric": "recall", "k": 10.0, "statistic": "mean"}
    return row | {"windowed": False, "value": value, "prompts": 3} | more


def test_a_ranking_run_shows_the_first_metric_of_each_task() -> None:
    measured = [at_layer("a", name, 0, "recall", 10.0, 0.5) for name in ("claa", "tova")]
    rows = [of_task("niah", "claa", 0.5), of_task("niah", "tova", 0.25), of_task("ruler/vt", "claa", 0.75)]
    others = [of_task("niah", "claa", 0.9, k=5.0), of_task("niah", "claa", 0.9, statistic="worst")]
    others += [of_prompt("a", name, "recall", "mean", 10.0, 0.5) for name in ("claa", "tova")]
    shown = ranking_by_task(ranked(measured, rows + others), 10.0).splitlines()
    assert shown[0] == "recall@10 by task, mean over layers"
    assert [line.split() for line in shown[1:]] == [
        ["prompts", "claa", "tova"], ["niah", "3", "0.500", "0.250"], ["ruler/vt", "3", "0.750", "-"],
    ]  # fmt: skip
    assert ranking_by_task(ranked(measured), 10.0) == ""


def test_an_accuracy_run_shows_the_middle_keep_rate_with_full_first() -> None:
    tables = accuracy_tables(["full", "claa"])
    rows = [
        of_task("t", name, value, metric="accuracy", k=None, windowed=None, engine=engine, keep=keep)
        for name, engine, keep, value in (
            ("claa", "layerwise", 10.0, 0.1), ("claa", "layerwise", 20.0, 0.2), ("claa", "layerwise", 40.0, 0.4),
            (None, "full", 100.0, 0.9),
        )
    ]  # fmt: skip
    more = replace(tables, summary=concatenated([tables.summary, table(rows, SUMMARY)], SUMMARY))
    shown = contestants_by_task(more).splitlines()
    assert shown[0] == "accuracy by task, at 20 %; other rates are in summary.parquet"
    assert [line.split() for line in shown[1:]] == [["prompts", "full", "claa"], ["t", "3", "0.900", "0.200"]]
    assert contestants_by_task(tables) == ""
