"""Rows in order, columns by evaluation, and what has no cell."""

import math
from dataclasses import replace

import pytest

from tests.report.table_examples import contestant_run, ranking_tables, table_run
from tokenrank.report.tables.report_files import grid


def test_rankings_stand_best_first_between_bound_and_controls() -> None:
    [block] = grid([table_run(ranking_tables())], "recall", 10).blocks
    assert [row.name for row in block.rows] == ["oracle", "claa", "tova", "gemfilter", "recency", "random", "chance"]
    claa = block.rows[1]
    assert [cell.value for cell in claa.cells] == [0.5, 0.4, 0.1]
    assert (claa.cells[0].low, claa.cells[0].high) == (0.45, 0.55)
    assert [cell.best for cell in claa.cells] == [True, True, False]
    assert math.isnan(block.rows[-1].cells[1].value)  # chance has no worst layer


def test_a_ranking_without_a_mean_stands_behind_those_that_have_one() -> None:
    tables = ranking_tables()
    summary = tables.summary.copy()
    mean = summary["sample"].isna() & (summary["metric"] == "recall") & (summary["statistic"] == "mean")
    summary.loc[mean & (summary["heuristic"] == "gemfilter"), "value"] = math.nan
    summary.loc[mean & (summary["heuristic"] == "tova"), "value"] = 0.9
    [block] = grid([table_run(replace(tables, summary=summary))], "recall", 10).blocks
    assert [row.name for row in block.rows][:4] == ["oracle", "tova", "claa", "gemfilter"]


def test_contestants_have_two_columns_a_keep_rate_and_the_full_prefill_stands_at_each() -> None:
    shown = grid([contestant_run()], "accuracy", None)
    assert shown.columns[:3] == [("keep 10 %", "accuracy"), ("keep 10 %", "gap closed"), ("keep 20 %", "accuracy")]
    rows = {row.name: row for row in shown.blocks[0].rows}
    assert [cell.value for cell in rows["full"].cells[::2]] == [0.49] * 3
    assert math.isnan(rows["full"].cells[1].value)
    assert math.isnan(rows["oracle"].cells[1].value)  # the ends of the gap close none
    assert rows["claa"].cells[1].digits == 2
    assert rows["claa"].cells[0].dagger
    assert rows["claa (published)"].cells[0].value == pytest.approx(0.4713)


def test_one_keep_rate_may_be_chosen() -> None:
    shown = grid([contestant_run()], "loss", None, keep=20.0)
    assert shown.columns == [("keep 20 %", "loss"), ("keep 20 %", "gap closed")]
    rows = {row.name: row for row in shown.blocks[0].rows}
    assert rows["full"].cells[0].value == 0.0
    assert rows["claa"].cells[0].value == 0.40


def test_several_runs_are_blocks_with_titles() -> None:
    shown = grid([table_run(ranking_tables(), "a"), table_run(ranking_tables(prompts=5), "b", units=9)], "recall", 10)
    assert [block.title for block in shown.blocks] == [
        "tiny on niah, 20 prompts",
        "tiny on niah, 5 prompts; half a run: 5 of 9 units are done",
    ]
