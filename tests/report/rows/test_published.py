"""Beside the published accuracy: ours averaged within subsets first, and every cell that is missing a dash."""

import pytest

from tests.report.contestant_examples import RATES, Row, accuracy_tables, as_tables, value_row, whose, without
from tokenrank.records.tables import Tables
from tokenrank.report.rows.published import PUBLISHED, beside_published, published_text

# task -> the accuracies of its prompts
FULL = {"longbench/qasper": (0.2, 0.4), "longbench/trec": (0.8,)}
CLAA = {"longbench/qasper": (0.1, 0.3), "longbench/trec": (0.6,)}


def rows(name: str, accuracies: dict[str, tuple[float, ...]], rates: tuple[float, ...] = RATES) -> list[Row]:
    return [
        value_row(task, f"{task[-4:]}_{number}", name, "accuracy", keep, value)
        for task, values in accuracies.items()
        for number, value in enumerate(values)
        for keep in rates
    ]


def made_up(more: tuple[Row, ...] = ()) -> Tables:
    """Claa at 10 and 30 %, peak on one subset only; statistics over prompts, which must not count."""
    mean = {"metric": "accuracy", "statistic": "mean", "value": 99.0}
    peak: dict[str, tuple[float, ...]] = {"longbench/trec": (0.4,)}
    measured = [*rows("full", FULL, (100.0,)), *rows("claa", CLAA, (10.0, 30.0)), *rows("peak", peak, (10.0,)), *more]
    return as_tables(measured, [whose("claa", 10.0) | mean, whose("claa", 10.0) | mean | {"against": "full"}])


def cells(tables: Tables) -> dict[tuple[str, str], list[str]]:
    """(contestant, keep) -> the other cells of that line of the text."""
    lines = [line.strip("| ").split(" | ") for line in published_text(tables).splitlines() if line.startswith("| ")]
    return {(first, second): rest for first, second, *rest in lines[1:]}


def test_ours_is_the_mean_within_each_subset_and_then_over_subsets() -> None:
    beside = beside_published(made_up())
    assert beside.loc[("full", 100.0), "ours"] == pytest.approx(100 * (0.3 + 0.8) / 2)  # over prompts it were 46.7
    assert beside.loc[("claa", 10.0), "ours"] == pytest.approx(100 * (0.2 + 0.6) / 2)
    assert beside.loc[("claa", 10.0), "ours_of_full"] == pytest.approx(100 * 0.4 / 0.55)


def test_the_full_prefill_stands_once() -> None:
    beside = beside_published(made_up())
    assert [k for name, k in beside.index if name == "full"] == [100.0]
    assert beside.loc[("full", 100.0), "prompts"] == 3
    assert beside.loc[("full", 100.0), "subsets"] == 2


def test_published_accuracies_stand_beside_ours_at_the_same_keep_rate() -> None:
    beside = beside_published(accuracy_tables())
    for name, published in PUBLISHED.items():
        for keep, accuracy in published.items():
            assert beside.loc[(name, keep), "published"] == accuracy
            assert beside.loc[(name, keep), "published_of_full"] == pytest.approx(100 * accuracy / 49.32)
    assert beside.loc[("claa", 20.0), "ours"] == pytest.approx(48.1)
    assert beside.loc[("gemfilter", 10.0), "ours"] == pytest.approx(37.6)


def test_what_is_not_published_or_was_not_run_is_missing_and_not_left_out() -> None:
    beside = beside_published(made_up()).isna()
    assert beside.loc[("peak", 10.0), "published"]
    assert not beside.loc[("peak", 10.0), "ours"]
    assert beside.loc[("claa", 30.0), "published"]  # at this keep rate
    assert not beside.loc[("claa", 30.0), "ours"]
    assert beside.loc[("claa", 20.0), "ours"]
    assert not beside.loc[("claa", 20.0), "published"]
    for k in RATES:
        assert beside.loc[("oracle", k), "ours"]
        assert not beside.loc[("oracle", k), "published"]


def test_the_text_has_a_line_a_contestant_and_keep_rate_with_dashes_for_what_is_missing() -> None:
    found = cells(made_up())
    assert found["full", "100"] == ["49.32", "100.0 %", "55.00", "100.0 %", "3", "2 of 2"]
    assert found["claa", "10"] == ["47.13", "95.6 %", "40.00", "72.7 %", "3", "2 of 2"]
    assert found["claa", "20"] == ["48.12", "97.6 %", "-", "-", "-", "-"]
    assert found["claa", "30"] == ["-", "-", "40.00", "72.7 %", "3", "2 of 2"]
    assert found["peak", "10"] == ["-", "-", "40.00", "72.7 %", "1", "1 of 2"]  # from one subset, as it says
    assert found["gemfilter", "40"] == ["45.11", "91.5 %", "-", "-", "-", "-"]


def test_contestants_stand_in_the_order_of_every_table() -> None:
    order = list(dict.fromkeys(name for name, _ in cells(accuracy_tables())))
    assert order == [
        "full", "oracle", "fastkv", "snapkv", "random", "oracle@claa", "claa", "random@claa", "speculative",
        "oracle@gemfilter", "gemfilter", "random@gemfilter",
    ]  # fmt: skip


def test_the_text_says_where_each_number_is_from() -> None:
    text = published_text(made_up())
    assert "published: Llama-3.1-8B-Instruct, average over LongBench" in text
    assert "https://arxiv.org/abs/2602.16054" in text
    assert "ours: tiny, 3 prompts of 2 subsets: qasper (2), trec (1)" in text
    assert "mean within each subset and then over subsets" in text


def test_where_nothing_was_answered_the_published_accuracies_stand_alone() -> None:
    nothing = as_tables()
    assert "ours: no prompt" in published_text(nothing)
    assert all(each[2:] == ["-"] * 4 for each in cells(nothing).values())
    assert len(cells(nothing)) == 1 + 5 * 3


def test_without_a_full_prefill_ours_has_no_share_of_it() -> None:
    assert cells(without(made_up(), "full"))["claa", "10"][2:4] == ["40.00", "-"]


def test_other_tasks_are_refused() -> None:
    other = value_row("niah", "s", "claa", "accuracy", 10.0, 1.0)
    with pytest.raises(ValueError, match=r"niah.*longbench/SUBSET"):
        beside_published(made_up(more=(other,)))
