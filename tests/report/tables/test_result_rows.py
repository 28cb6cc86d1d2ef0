"""The frame of results: which rows are best, where a dagger may stand, and what is published."""

import pandas as pd
import pytest

from tests.report.table_examples import contestant_run, ranking_tables, table_run
from tokenrank.report.tables.result_rows import result_rows


def marked(rows: pd.DataFrame, column: str, **at: object) -> set[tuple[str, str]]:
    """Methods and statistics of the rows that have a mark."""
    for name, value in at.items():
        rows = rows[rows[name] == value]
    return set(rows.loc[rows[column], ["method", "statistic"]].itertuples(index=False, name=None))


def test_the_best_methods_are_marked_ties_and_all_and_no_control_or_bound() -> None:
    rows = result_rows(table_run(ranking_tables()))
    found = marked(rows, "best", metric="recall", k=10.0)
    assert found == {("claa", "mean"), ("tova", "mean"), ("claa", "worst"), ("tova", "worst"), ("gemfilter", "std")}


def test_of_a_loss_the_smallest_is_best_and_of_its_gap_the_largest() -> None:
    rows = result_rows(contestant_run())
    assert marked(rows, "best", metric="loss", keep=10.0) == {("claa", "mean"), ("claa", "gap_closed")}
    assert marked(rows, "best", metric="accuracy", keep=10.0) == {("claa", "mean"), ("fastkv", "gap_closed")}


def test_a_dagger_is_for_what_beats_all_others_in_the_declared_metric_and_mean_alone() -> None:
    proven = {("claa", "gemfilter"): 0.01, ("gemfilter", "tova"): 0.02, ("claa", "tova"): 0.9}
    assert marked(result_rows(table_run(ranking_tables(proven))), "dagger") == set()
    against = result_rows(table_run(ranking_tables(proven)), "gemfilter")
    assert marked(against, "dagger") == {("claa", "mean"), ("tova", "mean")}
    assert set(against.loc[against["dagger"], "metric"]) == {"recall"}
    assert set(against.loc[against["dagger"], "k"]) == {10.0}


def test_a_method_that_beats_all_others_has_a_dagger_without_naming_one() -> None:
    proven = {("claa", "gemfilter"): 0.01, ("tova", "gemfilter"): 0.01}
    settings = {"compare": {"against": "gemfilter"}}
    assert marked(result_rows(table_run(ranking_tables(proven), evaluation=settings)), "dagger") == {
        ("claa", "mean"),
        ("tova", "mean"),
    }
    alone = {("claa", "gemfilter"): 0.01}
    assert marked(result_rows(table_run(ranking_tables(alone))), "dagger") == {("claa", "mean")}
    assert marked(result_rows(table_run(ranking_tables({("claa", "gemfilter"): 0.051}))), "dagger") == set()


def test_a_worse_method_has_no_dagger_however_small_its_p() -> None:
    rows = result_rows(table_run(ranking_tables({("gemfilter", "claa"): 0.0001})), "claa")
    assert marked(rows, "dagger") == set()


def test_of_contestants_each_keep_rate_has_its_daggers() -> None:
    rows = result_rows(contestant_run())
    assert list(rows.loc[rows["dagger"], ["method", "metric", "keep"]].itertuples(index=False, name=None)) == [
        ("claa", "accuracy", keep) for keep in (10.0, 20.0, 40.0)
    ]
    assert not result_rows(contestant_run(p=0.06))["dagger"].any()


def test_what_was_not_compared_cannot_be_compared_with() -> None:
    with pytest.raises(
        ValueError, match=r"against is 'recency', must be one of the methods that run compares: claa, gemfilter"
    ):
        result_rows(table_run(ranking_tables({("claa", "gemfilter"): 0.01})), "recency")
    with pytest.raises(ValueError, match="must be left out: run compares none"):
        result_rows(table_run(ranking_tables()), "claa")


def test_published_accuracy_stands_beside_longbench_alone_and_is_never_best() -> None:
    rows = result_rows(contestant_run())
    published = rows[rows["role"] == "published"]
    assert float(
        published.loc[(published["method"] == "claa") & (published["keep"] == 10), "value"].iloc[0]
    ) == pytest.approx(0.4713)
    assert not published["best"].any()
    assert not published["dagger"].any()
    run = contestant_run()
    other = run.tables.samples.assign(task="niah")
    tables = type(run.tables)(run.tables.metrics, run.tables.summary, other, run.tables.runs)
    assert not (result_rows(table_run(tables))["role"] == "published").any()


def test_chance_has_a_row_for_each_metric_and_k() -> None:
    rows = result_rows(table_run(ranking_tables()))
    assert list(rows.loc[rows["role"] == "chance", "metric"]) == ["recall", "recall", "spearman"]
    assert set(rows.loc[rows["role"] == "chance", "value"]) == {0.1}
