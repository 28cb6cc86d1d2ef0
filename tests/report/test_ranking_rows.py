"""What one figure or table shows out of metrics.parquet, on a table small enough to be read."""

from typing import Any

import pandas as pd
from tokenrank.report.selection import at, by_layer, chance, label, metric_names, windowed_layers

CHANCE, SUMMARY = None, None  # rows of no heuristic; rows of no layer

ROWS: list[tuple[str, str | None, int | None, str, float | None, float]] = [
    ("a", CHANCE, SUMMARY, "recall", 5.0, 0.05),
    ("a", "zeta", 2, "recall", 5.0, 0.1),
    ("a", CHANCE, SUMMARY, "recall", 10.0, 0.10),
    ("a", "zeta", 2, "recall", 10.0, 0.2),
    ("a", "zeta", 7, "recall", 10.0, 0.3),
    ("a", "zeta", SUMMARY, "recall.mean", 10.0, 0.25),
    ("a", "alpha", 2, "recall", 10.0, 0.4),
    ("a", "alpha", 7, "recall", 10.0, 0.5),
    ("a", "alpha", SUMMARY, "recall.mean", 10.0, 0.45),
    ("a", CHANCE, SUMMARY, "spearman", None, 0.0),
    ("a", "zeta", 2, "spearman", None, -0.6),
    ("b", CHANCE, SUMMARY, "recall", 10.0, 0.12),
    ("b", "zeta", 2, "recall", 10.0, 0.6),
    ("b", "zeta", 7, "recall", 10.0, 0.7),
    ("b", "alpha", 2, "recall", 10.0, 0.8),
    ("b", "alpha", 7, "recall", 10.0, 0.9),
]


def table(rows: Any = ROWS) -> pd.DataFrame:
    columns = {
        "sample": "str",
        "heuristic": "str",
        "layer": "Int64",
        "metric": "str",
        "k": "Float64",
        "value": "float64",
    }
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


def test_metrics_come_in_the_tables_order_without_their_summaries() -> None:
    assert metric_names(table()) == ["recall", "spearman"]
    assert metric_names(table(ROWS[::-1])) == ["recall", "spearman"]
    assert metric_names(table([row for row in ROWS[::-1] if row[0] == "a"])) == ["spearman", "recall"]
    assert metric_names(table([])) == []


def test_a_metric_of_which_there_is_only_the_chance_level_is_not_shown() -> None:
    only_chance: Any = ("a", CHANCE, SUMMARY, "jaccard", 10.0, 0.05)
    assert metric_names(table([*ROWS, only_chance])) == ["recall", "spearman"]


def test_at_takes_one_metric_at_one_k() -> None:
    assert at(table(), "recall", 5)["value"].tolist() == [0.05, 0.1]
    assert at(table(), "recall.mean", 10)["value"].tolist() == [0.25, 0.45]
    assert len(at(table(), "recall", 20)) == 0


def test_a_metric_without_k_is_there_for_every_k() -> None:
    for k in (5, 10, 20):
        assert at(table(), "spearman", k)["value"].tolist() == [0.0, -0.6]


def test_labels_name_k_where_there_is_one() -> None:
    assert label(table(), "recall", 10) == "recall@10"
    assert label(table(), "recall", 2.5) == "recall@2.5"
    assert label(table(), "spearman", 10) == "spearman"


def test_by_layer_has_a_line_for_each_heuristic_and_sample() -> None:
    wide = by_layer(table(), "recall", 10)
    assert wide.columns.to_numpy().tolist() == [2, 7]
    assert wide.index.tolist() == [("zeta", "a"), ("zeta", "b"), ("alpha", "a"), ("alpha", "b")]  # as in the table
    assert wide.to_numpy().tolist() == [[0.2, 0.3], [0.6, 0.7], [0.4, 0.5], [0.8, 0.9]]


def test_by_layer_keeps_chance_and_summaries_out() -> None:
    assert sorted(by_layer(table(), "recall", 5).to_numpy().ravel()) == [0.1]
    assert by_layer(table(), "spearman", 5).to_numpy().tolist() == [[-0.6]]


def test_chance_is_the_mean_over_samples() -> None:
    assert chance(table(), "recall", 10) == (0.10 + 0.12) / 2
    assert chance(table(), "recall", 5) == 0.05
    assert chance(table(), "spearman", 10) == 0


def test_windowed_layers_are_those_that_are_marked() -> None:
    table = pd.DataFrame({"layer": [0, 1, 1, 2, None], "windowed": [False, True, True, None, None]})
    marked = table.astype({"layer": "Int64", "windowed": "boolean"})
    assert windowed_layers(marked) == [1]
    assert windowed_layers(marked.drop(columns="windowed")) == []
