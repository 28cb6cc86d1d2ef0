"""Intervals over fewer prompts than their coverage was checked for are called rough, and no others."""

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from tests.report.contestant_examples import accuracy_tables
from tokenrank.records.tables import Tables
from tokenrank.report.rows.few_prompts import rough_intervals


def over(prompts: int, **columns: Any) -> Tables:
    tables = accuracy_tables()
    return replace(tables, summary=tables.summary.assign(prompts=prompts, **columns))


@pytest.mark.parametrize(("prompts", "said"), [(3, True), (9, True), (10, False), (60, False)])
def test_intervals_over_fewer_than_ten_prompts_are_rough(prompts: int, said: bool) -> None:
    assert rough_intervals(over(prompts)).startswith(f"Intervals over {prompts} prompts are rough") == said


def test_metrics_that_few_prompts_have_are_named() -> None:
    tables = over(60)
    of_few = tables.summary["prompts"].where(tables.summary["metric"] != "accuracy", 4)
    said = rough_intervals(replace(tables, summary=tables.summary.assign(prompts=of_few)))
    assert said.startswith("Intervals over 4 prompts (accuracy) are rough, ")


def test_where_there_are_no_intervals_nothing_is_said() -> None:
    assert rough_intervals(over(2, low=pd.NA)) == ""
