"""The layer-variance plot: markers, bars and ticks are the numbers of the tables, worst layers are named, rows are sorted."""

import math
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.report.drawn_pictures import course, drawn
from tests.report.layer_examples import HEURISTICS, SAMPLES, cells, ranking
from tests.report.ranking_examples import at_layer, of_prompts, ranked
from tokenrank.metrics.intervals import mean_intervals
from tokenrank.records.tables import Tables
from tokenrank.report.pictures.cut_bars import LABEL as CARET
from tokenrank.report.pictures.layer_values import layer_values
from tokenrank.report.pictures.layer_variance import LOWER, UPPER, layer_variance
from tokenrank.report.pictures.plots import layer_pictures

ORDER = ["oracle", "claa", "tova", "recency", "random"]


def variance(tables: Tables, metric: str = "recall") -> tuple[Figure, Axes]:
    figure = drawn(lambda: layer_variance(layer_values(tables, metric, 10)))
    return figure, figure.axes[1]


def at_height(axes: Axes, height: float) -> list[list[float]]:
    """Where the markers and bars at this height lie, in the order in which they were drawn."""
    lines = [course(line) for line in axes.get_lines()]
    return [across for across, up in lines if up and np.allclose(up, height)]


@pytest.mark.parametrize(("metric", "k"), [("recall", 10.0), ("spearman", None)])
def test_a_row_has_mean_interval_spread_layers_and_worst_layer_of_metrics_parquet(metric: str, k: float | None) -> None:
    tables = ranking()
    _, axes = variance(tables, metric)
    rows = cells(tables, metric, k)
    order = [text.get_text() for text in axes.get_yticklabels()]
    for place, name in enumerate(order):
        table = rows[name]
        means, worst = table.mean(axis=0), table.min(axis=0)
        spread, interval, mean = at_height(axes, place + UPPER)
        worst_interval, layers, lowest = at_height(axes, place + LOWER)
        assert mean == pytest.approx([means.mean()])
        assert spread == pytest.approx(np.percentile(means, [10, 90]).tolist())
        assert sorted(layers) == pytest.approx(sorted(table.mean(axis=1)))
        assert lowest == pytest.approx([worst.mean()])
        if name == "oracle":
            assert np.isnan([*interval, *worst_interval]).all()
        else:
            assert interval == pytest.approx(mean_intervals(means[:, None])[:, 0], nan_ok=True)
            assert worst_interval == pytest.approx(mean_intervals(worst[:, None])[:, 0], nan_ok=True)


def test_rows_are_sorted_from_the_top_with_controls_at_the_bottom() -> None:
    _, axes = variance(ranking())
    assert [text.get_text() for text in axes.get_yticklabels()][::-1] == ORDER


def test_equal_results_keep_the_order_of_the_table() -> None:
    names = ["method_b", "method_a", "method_c"]
    _, axes = variance(ranking(names))
    assert [text.get_text() for text in axes.get_yticklabels()][::-1] == names


def test_the_lowest_layer_of_a_row_is_named_unless_all_are_equal() -> None:
    tables = ranking()
    _, axes = variance(tables)
    values = cells(tables, "recall", 10)
    heights = {text.get_position()[1]: text.get_text() for text in axes.texts if text.get_text().isdigit()}
    for place, name in enumerate(ORDER[::-1]):
        lowest = int(values[name].mean(axis=1).argmin())
        assert heights.get(place) == (None if name == "oracle" else str(lowest))


def test_the_curves_beside_it_are_those_of_all_heuristics() -> None:
    figure, _ = variance(ranking())
    assert {str(line.get_label()) for line in figure.axes[0].get_lines()} == {*HEURISTICS, "chance"}


def test_statistics_over_layers_leave_windowed_layers_out_and_the_legend_says_so() -> None:
    tables = ranking(windowed=[1, 3])
    figure, axes = variance(tables)
    rows = cells(tables, "recall", 10)
    place = ORDER[::-1].index("claa")
    full = rows["claa"][[0, 2, 4]]
    _, own, windowed, lowest = at_height(axes, place + LOWER)
    assert at_height(axes, place + UPPER)[2] == pytest.approx([full.mean()])
    assert lowest == pytest.approx([full.min(axis=0).mean()])
    assert sorted(own) == pytest.approx(sorted(full.mean(axis=1)))
    assert sorted(windowed) == pytest.approx(sorted(rows["claa"][[1, 3]].mean(axis=1)))
    said = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "mean over full-attention layers" in said
    assert "a windowed layer, mean over prompts" in said
    assert "mean over layers" in [text.get_text() for text in variance(ranking())[0].legends[0].get_texts()]


def test_of_an_unlimited_metric_the_means_set_the_axis_and_a_longer_interval_has_a_caret() -> None:
    shown = replace(layer_values(ranking(), "spearman", 10), metric="drop")
    ends = shown.over_layers.copy()
    ends.loc["tova", "worst low"] = -40.0
    for known, carets in ((shown, []), (replace(shown, over_layers=ends), [LOWER])):
        axes = drawn(lambda known=known: layer_variance(known)).axes[1]  # type: ignore[misc]
        left = axes.get_xlim()[0]
        assert left > -2
        marks = [course(line) for line in axes.get_lines() if line.get_label() == CARET]
        place = ORDER[::-1].index("tova")
        assert marks == [([left], [place + each]) for each in carets]
        assert ("some ranges are cut" in axes.get_xlabel()) == bool(carets)


def test_a_mean_is_seen_on_the_bar_of_its_own_colour() -> None:
    _, axes = variance(ranking())
    for place, name in enumerate(ORDER[::-1]):
        (mean,) = (each for each in axes.get_lines() if each.get_label() == name)
        assert mean.get_path_effects(), name
        assert course(mean)[1] == pytest.approx([place + UPPER])


def test_where_no_interval_is_known_none_is_named() -> None:
    for samples, known in ((SAMPLES[:2], False), (SAMPLES, True)):
        figure, _ = variance(ranking(samples=samples))
        said = [text.get_text() for text in figure.legends[0].get_texts()]
        assert ("95 % interval of the mean" in said) == known


def test_a_heuristic_without_a_value_has_no_lowest_layer() -> None:
    values = {"claa": [0.5, 0.25], "flat": [math.nan, math.nan], "same": [0.5, 0.5]}
    metrics = [
        at_layer("a", name, layer, "spearman", None, each)
        for name, own in values.items()
        for layer, each in enumerate(own)
    ]
    metrics += [at_layer("a", None, None, "spearman", None, 0.0)]
    summary = [of_prompts("claa", "spearman", statistic, None, 0.4) for statistic in ("mean", "worst")]
    tables = ranked(metrics, summary, [{"id": "a", "task": "niah", "status": "ok"}])
    pictures = layer_pictures(tables, "spearman", 10)
    assert layer_values(tables, "spearman", 10).lowest.to_dict() == {"claa": 1}
    for each in ("variance", "heatmap"):
        pictures[f"spearman_{each}"]()
