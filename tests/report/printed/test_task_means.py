"""Means by task: one line a task, and nothing where there is one task only."""

from dataclasses import replace
from typing import Any

from tests.report.contestant_examples import accuracy_tables
from tests.report.ranking_examples import at_layer, of_prompt, ranked
from tokenrank.records.schema import SUMMARY, concatenated, table
from tokenrank.report.printed.task_means import contestants_by_task, ranking_by_task
from tokenrank.report.rows.aligned import WIDTH

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


def test_contestants_are_shown_at_the_middle_keep_rate_with_full_first() -> None:
    tables = accuracy_tables(["full", "claa"])
    rows = [
        of_task(task, name, value + more, metric=metric, k=None, windowed=None, engine=engine, keep=keep)
        for metric, more in (("accuracy", 0.0), ("loss", 1.0))
        for name, engine, keep, value in (
            ("claa", "layerwise@claa", 10.0, 0.1), ("claa", "layerwise@claa", 20.0, 0.2),
            ("claa", "layerwise@claa", 40.0, 0.4), ("oracle@claa", "layerwise@claa", 20.0, 0.6), (None, "full", 100.0, 0.9),
        )
        for task in ("t", "u")
        if (task, name) != ("u", "oracle@claa")
    ]  # fmt: skip
    more = replace(tables, summary=concatenated([tables.summary, table(rows, SUMMARY)], SUMMARY))
    for metric, values in (("accuracy", ("0.900", "0.600", "0.200")), ("loss", ("1.900", "1.600", "1.200"))):
        shown = contestants_by_task(more, metric).splitlines()
        assert shown[0] == f"{metric} by task, at 20 %; other rates are in summary.parquet"
        assert [line.split() for line in shown[1:]] == [
            ["t", "u"], ["(prompts)", "3", "3"], ["full", values[0], values[0]], ["oracle@claa", values[1], "-"],
            ["claa", values[2], values[2]],
        ]  # fmt: skip
    assert contestants_by_task(tables, "accuracy") == contestants_by_task(more, "kl") == ""


def test_tasks_that_do_not_fit_beside_the_others_follow_below() -> None:
    tasks = [f"longbench/subset_number_{number:02d}" for number in range(12)]
    rows = [
        of_task(task, "claa", number / 100, metric="loss", k=None, engine="layerwise", keep=20.0)
        for number, task in enumerate(tasks)
    ]
    tables = accuracy_tables(["claa"])
    lines = contestants_by_task(replace(tables, summary=table(rows, SUMMARY)), "loss").splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert lines[0] == "loss by task of longbench, at 20 %; other rates are in summary.parquet"
    shown = [word for line in lines[1:] for word in line.split() if "sub" in word]
    assert shown == [f"subset_n..er_{number:02d}" for number in range(12)]
    of_claa = [word for line in lines if line.startswith("claa") for word in line.split()[1:]]
    assert of_claa == [f"{number / 100:.3f}" for number in range(12)]
    assert len([line for line in lines if line.startswith("claa")]) > 1
