"""Layer curves: lines and bands are the numbers of metrics.parquet, in the order of results, on the range of the metric."""

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from tests.report.drawn_pictures import band, course, drawn, named, panels, readable
from tests.report.layer_examples import CHANCE, HEURISTICS, LAYERS, SAMPLES, cells, ranking
from tokenrank.metrics.intervals import mean_intervals
from tokenrank.report.pictures.drawing import SINGLE
from tokenrank.report.pictures.layer_curves import CHANCE as CHANCE_LINE
from tokenrank.report.pictures.layer_curves import FEW, SAID_INTERVAL, SAID_SPREAD, layer_curves, prompt_bands
from tokenrank.report.pictures.layer_values import layer_values

ORDER = ["oracle", "claa", "tova", "recency", "random"]


def curves(metric: str = "recall", k: float = 10, **more: Any) -> Figure:
    return drawn(lambda: layer_curves(layer_values(ranking(**more), metric, k)))


def bands(metric: str = "recall", samples: list[str] = SAMPLES) -> Figure:
    return drawn(lambda: prompt_bands(layer_values(ranking(samples=samples), metric, 10)))


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize(("metric", "k"), [("recall", 10.0), ("recall", 5.0), ("spearman", None)])
def test_every_line_is_the_mean_over_prompts_of_the_table(metric: str, k: float | None) -> None:
    values = cells(ranking(), metric, k)
    axes, _ = curves(metric, k or 10).axes
    for name in HEURISTICS:
        across, up = course(named(axes, name))
        assert across == LAYERS
        assert up == pytest.approx(values[name].mean(axis=1).tolist())
    assert set(course(named(axes, "chance"))[1]) == {CHANCE[metric]}


def test_the_legend_has_the_oracle_first_and_controls_last() -> None:
    assert legend(curves()) == [*ORDER, "chance", SAID_INTERVAL, SAID_SPREAD]
    axes, _ = curves().axes
    looks = {name: named(axes, name) for name in ORDER}
    assert (looks["oracle"].get_linestyle(), looks["oracle"].get_color()) == ("--", "#000000")
    greys = {str(looks[name].get_color()) for name in ("recency", "random")}
    assert greys == {"#6e6e6e"}
    assert "#6e6e6e" not in {str(looks[name].get_color()) for name in ("claa", "tova")}


def test_lines_of_a_few_methods_have_their_intervals_and_those_of_many_have_none() -> None:
    assert len(curves().axes[0].collections) == 2
    many = [f"method{number}" for number in range(FEW + 1)]
    figure = drawn(lambda: layer_curves(layer_values(ranking(many), "recall", 10)))
    assert len(figure.axes[0].collections) == 0


@pytest.mark.parametrize("names", [HEURISTICS, ["oracle", *(f"method{number}" for number in range(20))]])
@pytest.mark.parametrize(("metric", "k"), [("recall", 10.0), ("spearman", None)])
def test_beside_the_curves_each_one_has_its_mean_over_layers_with_interval_and_spread(
    names: list[str], metric: str, k: float | None
) -> None:
    tables = ranking(names)
    figure = drawn(lambda: layer_curves(layer_values(tables, metric, 10)))
    readable(figure)
    assert figure.get_figwidth() == SINGLE
    axes, beside = figure.axes
    assert axes.get_ylim() == beside.get_ylim()
    rows, order = cells(tables, metric, k), legend(figure)
    for place, name in enumerate(order[: len(names)]):
        means = rows[name].mean(axis=0)
        interval, spread, mean = (course(line)[1] for line in beside.get_lines() if set(course(line)[0]) == {place})
        assert mean == pytest.approx([means.mean()])
        assert spread == pytest.approx(np.percentile(means, [10, 90]).tolist())
        wanted = [np.nan] * 2 if name == "oracle" else mean_intervals(means[:, None])[:, 0]
        assert interval == pytest.approx(wanted, nan_ok=True)
        assert named(beside, name).get_color() == named(axes, name).get_color()
    assert order[len(names) :] == ["chance", SAID_INTERVAL, SAID_SPREAD]


def test_bars_beside_the_curves_do_not_touch_each_other() -> None:
    for count in (4, 14, 40):
        names = [f"method{number}" for number in range(count)]
        figure = drawn(lambda names=names: layer_curves(layer_values(ranking(names), "recall", 10)))  # type: ignore[misc]
        beside = figure.axes[1]
        places = beside.transData.transform([(0, 0), (1, 0)])[:, 0] * 72 / figure.dpi
        widest = max(line.get_linewidth() for line in beside.get_lines() if line.get_label() not in ("chance", *names))
        assert widest < places[1] - places[0]


def test_bands_are_the_interval_of_the_mean_and_the_middle_of_the_prompts() -> None:
    found = panels(bands())
    assert list(found) == ORDER
    rows = cells(ranking(), "recall", 10)
    for name in ORDER[1:]:
        for layer in LAYERS:
            values = rows[name][layer]
            wanted = mean_intervals(values[:, None])[:, 0]
            assert band(found[name], SAID_INTERVAL, layer) == pytest.approx(wanted)
            assert band(found[name], SAID_SPREAD, layer) == pytest.approx(np.percentile(values, [10, 90]))
            assert course(named(found[name], "mean over prompts"))[1][layer] == pytest.approx(values.mean())


def test_one_layer_alone_has_bands_and_a_mean_that_can_be_seen_and_ticks_at_its_number() -> None:
    tables = ranking(layers=[3])
    figure = drawn(lambda: prompt_bands(layer_values(tables, "recall", 10)))
    values = cells(tables, "recall", 10)["claa"][0]
    panel = panels(figure)["claa"]
    across, up = course(named(panel, "mean over prompts"))
    assert across == pytest.approx([2.8, 3.2])
    assert up == pytest.approx([values.mean()] * 2)
    for place in (2.8, 3.2):
        assert band(panel, SAID_SPREAD, place) == pytest.approx(np.percentile(values, [10, 90]))
    low, high = panel.get_xlim()
    assert [place for place in panel.get_xticks() if low <= place <= high] == [3]


def test_the_interval_and_the_spread_are_told_apart_and_named() -> None:
    figure = bands()
    assert legend(figure) == ["mean over prompts", SAID_INTERVAL, SAID_SPREAD, "chance"]
    for panel in panels(figure).values():
        looks = {str(each.get_label()): each for each in panel.collections}
        interval, spread = looks[SAID_INTERVAL], looks[SAID_SPREAD]
        assert len(interval.get_facecolor()) == 1
        assert len(spread.get_facecolor()) == 0  # an outline: seen on a wider interval, and hides none
        assert np.min(spread.get_linewidth()) > 0
        assert spread.get_zorder() > interval.get_zorder()


def test_below_three_prompts_there_is_no_interval_and_none_is_named() -> None:
    assert SAID_INTERVAL not in legend(bands(samples=SAMPLES[:2]))
    assert SAID_INTERVAL in legend(bands(samples=SAMPLES[:3]))


@pytest.mark.parametrize(("metric", "range_"), [("recall", (0, 1)), ("spearman", (-0.4, 1))])
def test_axes_have_the_range_of_the_metric_and_say_where_it_is_cropped(
    metric: str, range_: tuple[float, float]
) -> None:
    axes = curves(metric).axes[0]
    low, high = axes.get_ylim()
    room = 0.03 * (range_[1] - range_[0])
    assert (low, high) == pytest.approx((range_[0] - room, range_[1] + room))
    assert ("cropped" in axes.get_ylabel()) == (metric == "spearman")


def test_layers_stand_at_their_own_numbers_and_windowed_ones_are_shaded() -> None:
    assert course(named(curves(layers=[1, 4]).axes[0], "claa"))[0] == [1, 4]
    plain, shaded = curves(), curves(windowed=[1, 3])
    assert [len(each.axes[0].patches) for each in (plain, shaded)] == [0, 2]
    assert ["windowed layer" in legend(each) for each in (plain, shaded)] == [False, True]


def test_the_chance_level_looks_like_no_heuristic() -> None:
    axes, _ = curves().axes
    assert {str(line.get_color()) for line in axes.get_lines() if line.get_label() == "chance"} == {
        CHANCE_LINE["color"]
    }
    assert CHANCE_LINE["color"] not in {str(named(axes, name).get_color()) for name in ORDER}
