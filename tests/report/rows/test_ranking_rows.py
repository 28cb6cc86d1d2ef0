"""What one figure or table shows out of the tables, on tables small enough to be read."""

from typing import Any

import pandas as pd
import pytest

from tests.report.ranking_examples import at_layer, of_pair, of_prompt, of_prompts, ranked
from tokenrank.report.rows.ranking_rows import (
    at,
    by_layer,
    chance,
    heading,
    label,
    over_layers,
    over_prompts,
    ranked_metrics,
    windowed_layers,
)

CHANCE = None  # rows of no heuristic and no layer

ROWS: list[tuple[Any, ...]] = [
    ("a", CHANCE, None, "recall", 5.0, 0.05),
    ("a", "zeta", 2, "recall", 5.0, 0.1),
    ("a", CHANCE, None, "recall", 10.0, 0.10),
    ("a", "zeta", 2, "recall", 10.0, 0.2),
    ("a", "zeta", 7, "recall", 10.0, 0.3),
    ("a", "alpha", 2, "recall", 10.0, 0.4),
    ("a", "alpha", 7, "recall", 10.0, 0.5),
    ("a", CHANCE, None, "spearman", None, 0.0),
    ("a", "zeta", 2, "spearman", None, -0.6),
    ("b", CHANCE, None, "recall", 10.0, 0.12),
    ("b", "zeta", 2, "recall", 10.0, 0.6),
    ("b", "zeta", 7, "recall", 10.0, 0.7),
    ("b", "alpha", 2, "recall", 10.0, 0.8),
    ("b", "alpha", 7, "recall", 10.0, 0.9),
]


def metrics(rows: list[tuple[Any, ...]] = ROWS) -> pd.DataFrame:
    return ranked([at_layer(*row) for row in rows]).metrics


def summary() -> pd.DataFrame:
    rows = [
        of_prompt("a", "zeta", "recall", "mean", 10.0, 0.25),
        of_prompt("a", "zeta", "recall", "worst", 10.0, 0.2),
        of_prompt("a", "zeta", "recall", "mean", 5.0, 0.1),
        of_prompt("b", "zeta", "recall", "mean", 10.0, 0.65),
        of_prompt("b", "zeta", "recall", "mean", 10.0, 0.9) | {"windowed": True},
        of_prompts("zeta", "recall", "mean", 10.0, 0.45, low=0.3, high=0.6),
        of_prompts("zeta", "recall", "mean", 10.0, 0.9, windowed=True),
        of_prompts("zeta", "recall", "mean", 10.0, 0.8, task="longbench/qasper"),
        of_prompts("zeta", "recall", "mean", 10.0, -0.1, against="alpha"),
        of_prompts("zeta", "spearman", "mean", None, -0.6),
        of_pair("zeta", 2, 7, "recall", 10.0, 0.8),
    ]
    return ranked(summary=rows).summary


def test_metrics_come_in_the_tables_order() -> None:
    rows = [of_prompt("a", "zeta", name, "mean", None, 0.1) for name in ("spearman", "recall", "spearman")]
    assert ranked_metrics(ranked(summary=rows)) == ["spearman", "recall"]
    assert ranked_metrics(ranked(summary=rows[1:])) == ["recall", "spearman"]
    assert ranked_metrics(ranked()) == []


def test_a_metric_of_which_there_is_only_the_chance_level_is_not_shown() -> None:
    only_chance = at_layer("a", CHANCE, None, "jaccard", 10.0, 0.05)
    assert ranked_metrics(ranked([only_chance], [of_prompts("zeta", "jaccard", "mean", 10.0, 0.1)])) == []


def test_at_takes_one_metric_at_one_k() -> None:
    assert at(metrics(), "recall", 5)["value"].tolist() == [0.05, 0.1]
    assert len(at(metrics(), "recall", 20)) == 0


def test_a_metric_without_k_is_there_for_every_k() -> None:
    for k in (5, 10, 20):
        assert at(metrics(), "spearman", k)["value"].tolist() == [0.0, -0.6]


def test_statistics_over_layers_are_those_of_single_prompts() -> None:
    assert over_layers(summary(), "recall", "mean", 10)["value"].tolist() == [0.25, 0.65]
    assert over_layers(summary(), "recall", "mean", 5)["value"].tolist() == [0.1]
    assert over_layers(summary(), "recall", "worst", 10)["value"].tolist() == [0.2]
    assert over_layers(summary(), "recall", "mean", 10, windowed=True)["value"].tolist() == [0.9]


def test_means_over_prompts_are_neither_comparisons_nor_pairs_of_layers() -> None:
    found = over_prompts(summary(), "recall", "mean", 10)
    assert found[["value", "low", "high"]].to_numpy(dtype=float).tolist() == [[0.45, 0.3, 0.6]]
    assert found.index.tolist() == ["zeta"]
    assert over_prompts(summary(), "spearman", "mean", 10)["value"].tolist() == [-0.6]


def test_labels_name_k_where_there_is_one() -> None:
    assert label(metrics(), "recall", 10) == "recall@10"
    assert label(metrics(), "recall", 2.5) == "recall@2.5"
    assert label(metrics(), "spearman", 10) == "spearman"


def test_by_layer_has_a_line_for_each_heuristic_and_prompt() -> None:
    wide = by_layer(metrics(), "recall", 10)
    assert wide.columns.to_numpy().tolist() == [2, 7]
    assert wide.index.tolist() == [("zeta", "a"), ("zeta", "b"), ("alpha", "a"), ("alpha", "b")]  # as in the table
    assert wide.to_numpy().tolist() == [[0.2, 0.3], [0.6, 0.7], [0.4, 0.5], [0.8, 0.9]]


def test_by_layer_keeps_chance_out() -> None:
    assert sorted(by_layer(metrics(), "recall", 5).to_numpy().ravel()) == [0.1]
    assert by_layer(metrics(), "spearman", 5).to_numpy().tolist() == [[-0.6]]


def test_chance_is_the_mean_over_prompts() -> None:
    assert chance(metrics(), "recall", 10) == (0.10 + 0.12) / 2
    assert chance(metrics(), "recall", 5) == 0.05
    assert chance(metrics(), "spearman", 10) == 0


def test_windowed_layers_are_those_that_are_marked() -> None:
    assert windowed_layers(metrics()) == []
    assert windowed_layers(metrics().assign(windowed=metrics()["layer"] == 7)) == [7]


def test_the_title_names_model_task_prompts_and_k() -> None:
    tables = ranked([at_layer(*row) for row in ROWS])
    assert heading(tables, 2, 10.0) == "tiny on niah, n = 2 prompts, k = 10 %"
    assert heading(tables, 1, 2.5) == "tiny on niah, n = 1 of 2 prompts, k = 2.5 %"
    assert heading(ranked([at_layer(*ROWS[0])]), 1) == "tiny on niah, n = 1 prompt"


@pytest.mark.parametrize(("of", "said"), [("context", ", context alone"), ("prompt", ""), (None, "")])
def test_the_title_says_where_the_context_alone_was_ranked(of: str | None, said: str) -> None:
    tables = ranked([at_layer(*row) for row in ROWS], samples=[{"id": "a", "universe": of}])
    assert heading(tables, 2, 10.0) == f"tiny on niah{said}, n = 2 prompts, k = 10 %"
