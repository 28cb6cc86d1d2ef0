"""Which oracles were beaten: by contestants of their own engine, in their favour, beyond noise; and how it is said."""

from typing import Any

import pytest

from tests.report.contestant_examples import Row, accuracy_tables, as_tables, value_row, whose
from tokenrank.records.tables import Tables
from tokenrank.report.rows.bounds import beaten, beaten_sentences, marked

MEASURES = ["accuracy", "loss"]
NAMES = ("oracle", "fastkv", "random", "oracle@claa", "claa")


def against(name: str, other: str, low: float | None, high: float | None, metric: str = "accuracy", **more: Any) -> Row:
    row = {"metric": metric, "statistic": "mean", "against": other, "exploratory": True, "low": low, "high": high}
    return whose(name, 10.0) | row | {"value": 0.0 if low is None or high is None else (low + high) / 2} | more


def compared(*rows: Row) -> Tables:
    return as_tables([value_row("niah", "s", name, "loss", 10.0, 0.5) for name in NAMES], rows)


def who(*rows: Row) -> list[tuple[str, str]]:
    found = beaten(compared(*rows), MEASURES)
    return list(zip(found["bound"], found["by"], strict=True))


@pytest.mark.parametrize(
    ("row", "is_beaten"),
    [
        (against("fastkv", "oracle", 0.01, 0.05), True),
        (against("fastkv", "oracle", 0.0, 0.05), False),  # noise
        (against("fastkv", "oracle", -0.01, 0.05), False),
        (against("fastkv", "oracle", -0.05, -0.01), False),  # the oracle is better
        (against("fastkv", "oracle", None, None), False),  # too few prompts
        (against("fastkv", "oracle", -0.05, -0.01, "loss"), True),  # it loses less
        (against("fastkv", "oracle", 0.01, 0.05, "loss"), False),
        (against("oracle", "fastkv", -0.05, -0.01), True),  # the same difference, the other way round
        (against("oracle", "fastkv", 0.01, 0.05), False),
        (against("oracle", "fastkv", 0.01, 0.05, "loss"), True),
        (against("random", "oracle", 0.01, 0.05), True),
        (against("fastkv", "oracle", 0.01, 0.05, "kl"), False),  # none of the measures that are shown
        (against("fastkv", "oracle", 0.01, 0.05, statistic="std"), False),
    ],
)
def test_a_bound_is_beaten_where_the_interval_lies_on_the_contestants_side(row: Row, is_beaten: bool) -> None:
    assert who(row) == [("oracle", "fastkv" if row["heuristic"] == "oracle" else row["heuristic"])] * is_beaten


@pytest.mark.parametrize(
    "row",
    [
        against("claa", "oracle", 0.01, 0.05),  # of another engine
        against("full", "oracle", 0.01, 0.05),
        against("fastkv", "random", 0.01, 0.05),  # a control
        against("oracle@claa", "oracle", 0.01, 0.05),  # two bounds
    ],
)
def test_only_contestants_of_its_engine_beat_a_bound(row: Row) -> None:
    assert who(row) == []
    assert who(against("claa", "oracle@claa", 0.01, 0.05)) == [("oracle@claa", "claa")]


def test_the_sentence_says_who_at_which_keep_rate_and_in_what() -> None:
    found = beaten(
        compared(
            against("claa", "oracle@claa", -0.05, -0.01, "loss"),
            against("claa", "oracle@claa", 0.01, 0.05, keep=20.0),
            against("claa", "oracle@claa", 0.01, 0.05),
            against("fastkv", "oracle", 0.01, 0.05),
        ),
        MEASURES,
    )
    assert " ".join(beaten_sentences(found).split()) == (
        "* beaten by a contestant of the same engine beyond noise (95 % interval of the difference): "
        "oracle@claa by claa at 10 % in accuracy, loss and at 20 % in accuracy; oracle by fastkv at 10 % in accuracy. "
        "The oracle is a hypothesis about what matters."
    )
    assert marked(found) == {("oracle@claa", 10.0), ("oracle@claa", 20.0), ("oracle", 10.0)}
    assert beaten_sentences(beaten(compared(), MEASURES)) == ""


def test_of_made_up_tables_the_one_oracle_is_found_that_loses_more() -> None:
    found = beaten(accuracy_tables(), MEASURES)
    assert found.to_dict("records") == [{"bound": "oracle@claa", "by": "claa", "keep": 10.0, "metric": "loss"}]
