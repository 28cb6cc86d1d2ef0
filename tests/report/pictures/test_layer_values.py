"""What pictures by layer show: the numbers of metrics.parquet and summary.parquet, over prompts that all have."""

from dataclasses import replace

import numpy as np
import pytest

from tests.report.layer_examples import HEURISTICS, LAYERS, SAMPLES, cells, ranking
from tokenrank.metrics.intervals import mean_intervals
from tokenrank.report.pictures.layer_values import layer_values
from tokenrank.report.rows.layer_intervals import layer_intervals
from tokenrank.report.rows.ranking_rows import by_layer, heading

ORDER = ["oracle", "claa", "tova", "recency", "random"]


@pytest.mark.parametrize(("metric", "k", "name"), [("recall", 10.0, "recall@10"), ("spearman", None, "spearman")])
def test_means_intervals_and_percentiles_are_over_the_prompts_of_the_table(
    metric: str, k: float | None, name: str
) -> None:
    shown = layer_values(ranking(), metric, 10)
    assert (shown.name, shown.metric) == (name, metric)
    rows = cells(ranking(), metric, k)
    for heuristic in HEURISTICS:
        for layer in LAYERS:
            values = rows[heuristic][layer]
            tenth, ninetieth = np.percentile(values, [10, 90])
            found = [each.loc[heuristic, layer] for each in (shown.means, shown.tenth, shown.ninetieth)]
            assert found == pytest.approx([values.mean(), tenth, ninetieth])
            ends = [each.loc[heuristic, layer] for each in (shown.low, shown.high)]
            wanted = [np.nan] * 2 if heuristic == "oracle" else mean_intervals(values[:, None])[:, 0].tolist()
            assert ends == pytest.approx(wanted, nan_ok=True)
    assert shown.heuristics == ORDER


def test_the_lowest_layer_is_the_first_of_the_smallest_means_of_those_that_differ() -> None:
    shown = layer_values(ranking(), "spearman", 10)
    differ = [name for name in HEURISTICS if name != "oracle"]
    assert {name: int(layer) for name, layer in shown.lowest.items()} == dict.fromkeys(differ, 0)


def test_a_prompt_that_a_heuristic_lacks_is_left_out_and_the_title_says_of_how_many() -> None:
    tables = ranking()
    lost = (tables.metrics["sample"] == "s4") & (tables.metrics["heuristic"] == "tova")
    shown = layer_values(replace(tables, metrics=tables.metrics[~lost]), "recall", 10)
    wanted = cells(ranking(samples=SAMPLES[:4]), "recall", 10)["claa"].mean(axis=1)
    assert shown.means.T["claa"].to_list() == pytest.approx(wanted.tolist())
    assert shown.heading == "tiny on niah, n = 4 of 5 prompts, k = 10 %"


def test_intervals_are_none_below_three_prompts_and_where_a_value_is_missing() -> None:
    few = by_layer(ranking(samples=SAMPLES[:2]).metrics, "recall", 10)
    assert all(each.isna().all(axis=None) for each in layer_intervals(few))
    values = by_layer(ranking().metrics, "recall", 10)
    values.loc[("claa", "s1"), 2] = np.nan
    low, high = (each.T for each in layer_intervals(values))
    assert low["claa"].isna().to_list() == high["claa"].isna().to_list() == [layer == 2 for layer in LAYERS]
    assert low["tova"].notna().all()
    mean = cells(ranking(), "recall", 10)["claa"][1].mean()
    assert low["claa"].to_list()[1] < mean < high["claa"].to_list()[1]


def test_the_title_counts_one_prompt_and_a_metric_without_k() -> None:
    assert heading(ranking(samples=SAMPLES[:1]), 1) == "tiny on niah, n = 1 prompt"
