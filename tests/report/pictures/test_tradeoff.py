"""Accuracy, loss and KL against cost: lines are the table's numbers, better is up, the oracle's ranking is not counted, gaps are named."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import CARETDOWN, CARETUP

from tests.report.contestant_examples import (
    CONTESTANTS,
    accuracy_tables,
    as_tables,
    cell,
    fidelity_tables,
    with_copy,
    without,
)
from tests.report.drawn_pictures import drawn, readable
from tests.report.ttft_examples import ttft_tables
from tokenrank.records.tables import Tables
from tokenrank.report.pictures.contestant_style import KNOWN, Style, styles
from tokenrank.report.pictures.cut_bars import LABEL as CARET
from tokenrank.report.pictures.drawing import write_picture
from tokenrank.report.pictures.tradeoff import tradeoff, tradeoff_pictures

COSTS = ("flops_ratio", "kv_ratio")
FEW = ("full", "claa", "oracle@claa")
METHODS = [name for name in CONTESTANTS if name != "full"]


@cache
def whole(cost: str, measure: str = "accuracy") -> Figure:
    """Of all contestants."""
    return drawn(lambda: tradeoff(accuracy_tables(), cost, measure))


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def line(axes: Axes, name: str) -> tuple[list[float], list[float]]:
    (found,) = (each for each in axes.get_lines() if each.get_label() == name)
    return np.asarray(found.get_xdata(), float).tolist(), np.asarray(found.get_ydata(), float).tolist()


def labels(axes: Axes) -> list[str]:
    return [str(each.get_label()) for each in axes.get_lines()]


def caption(figure: Figure) -> str:
    return " ".join(figure.get_supxlabel().split())


def bars(axes: Axes, name: str) -> list[list[float]]:
    """[across, low, high] of each bar in the colour of that contestant, which no other has."""
    of_engine = [
        each
        for each in axes.collections
        if isinstance(each, LineCollection) and to_hex(each.get_color()[0]) == KNOWN[name].colour  # type: ignore[arg-type]
    ]
    parts = [np.asarray(part) for each in of_engine for part in each.get_segments()]
    return [[float(part[0, 0]), *sorted(part[:, 1].tolist())] for part in parts]


@pytest.mark.parametrize("cost", COSTS)
def test_a_line_runs_through_its_contestants_keep_rates(cost: str) -> None:
    (axes,) = whole(cost).axes
    for name in METHODS:
        across, up = line(axes, name)
        assert across == pytest.approx([cell(name, number)[cost] for number in range(3)])
        assert up == pytest.approx(CONTESTANTS[name][0])


@pytest.mark.parametrize("cost", COSTS)
def test_bars_are_the_intervals_of_the_accuracy(cost: str) -> None:
    (axes,) = whole(cost).axes
    expected = [
        [cell("snapkv", n)[cost], accuracy - 0.02, accuracy + 0.02]
        for n, accuracy in enumerate(CONTESTANTS["snapkv"][0])
    ]
    assert np.array(bars(axes, "snapkv")) == pytest.approx(np.array(expected))


@pytest.mark.parametrize("cost", COSTS)
def test_the_full_prefill_is_one_point_and_a_level(cost: str) -> None:
    (axes,) = whole(cost).axes
    assert line(axes, "full") == ([1.0], [0.49])
    levels = [each for each in axes.get_lines() if each.get_linestyle() == "-" and each.get_marker() == "None"]
    assert [set(np.asarray(each.get_ydata(), float).tolist()) for each in levels] == [{0.49}]


def test_only_against_flops_it_is_said_that_the_oracles_ranking_is_not_counted() -> None:
    assert "by the answer itself; a reference, not a method; its ranking costs no FLOPs here." in caption(
        whole("flops_ratio")
    )
    assert "by the answer itself; a reference, not a method. Grey and dotted: controls" in caption(whole("kv_ratio"))


def test_the_caption_says_what_was_protected_and_what_stands_behind_the_at() -> None:
    said = caption(whole("flops_ratio"))
    assert "After the @: whose engine. prefill.protect=window: the last tokens, the window, always stay." in said
    one_engine = caption(tradeoff(accuracy_tables(("full", "oracle", "random"), protect="frame"), "flops_ratio"))
    assert "@" not in one_engine
    assert "prefill.protect=frame: all tokens outside of the context always stay" in one_engine


@pytest.mark.parametrize("measure", ["loss", "kl"])
def test_better_is_up_where_less_is_better_and_the_axis_says_so(measure: str) -> None:
    (axes,) = whole("kv_ratio", measure).axes
    (upright,) = whole("kv_ratio").axes
    bottom, top = axes.get_ylim()
    assert bottom > top
    assert upright.get_ylim()[0] < upright.get_ylim()[1]
    label = axes.get_ylabel()
    assert label.endswith("nats a token\nmean over prompts; axis inverted, so that up is better")
    assert upright.get_ylabel() == "accuracy (0 to 1, cropped), mean over prompts"
    for name in METHODS:
        across, up = line(axes, name)
        assert across == pytest.approx([cell(name, number)["kv_ratio"] for number in range(3)])
        assert up == pytest.approx([cell(name, number)[measure] for number in range(3)])
    assert line(axes, "full") == ([1.0], [0.0])


def test_the_title_names_measure_and_cost() -> None:
    titles = [
        whole(cost, measure).get_suptitle().splitlines()[0]
        for cost, measure in (("flops_ratio", "accuracy"), ("kv_ratio", "loss"), ("kv_ratio", "kl"))
    ]
    assert titles == ["Accuracy against FLOPs", "Loss against KV cache", "KL against KV cache"]


def test_the_legend_beside_the_axes_is_in_the_order_of_results() -> None:
    methods = ["claa", "fastkv", "snapkv", "speculative", "gemfilter"]
    bounds, controls = ["oracle@claa", "oracle", "oracle@gemfilter"], ["random@claa", "random", "random@gemfilter"]
    assert legend(whole("kv_ratio")) == ["full prefill", *bounds, *methods, *controls]
    assert legend(whole("kv_ratio", "loss"))[4:9] == ["claa", "snapkv", "fastkv", "speculative", "gemfilter"]
    assert "Along a line, with growing markers: keep rates 10, 20, 40 %." in caption(whole("kv_ratio"))


def test_markers_grow_with_the_keep_rate_and_stand_on_their_line() -> None:
    (axes,) = whole("kv_ratio").axes
    looks = styles(list(CONTESTANTS))
    for name in METHODS:
        points = [each for each in axes.get_lines() if _is_point(each, looks[name])]
        sizes = _sizes(whole("kv_ratio"), name)
        assert len(sizes) == 3
        assert sizes == sorted(set(sizes))
        places = [(float(x), float(y)) for each in points for x, y in np.asarray(each.get_xydata())]
        assert places == list(zip(*line(axes, name), strict=True))


def _sizes(figure: Figure, name: str) -> list[float]:
    """Of the markers of a contestant, in the order of the keep rates."""
    look = styles(list(CONTESTANTS))[name]
    return [each.get_markersize() for each in figure.axes[0].get_lines() if _is_point(each, look)]


def _is_point(each: Line2D, look: Style) -> bool:
    alike = each.get_marker() == look.marker and each.get_color() == look.colour
    hollow = each.get_markerfacecolor() == "white"
    return alike and each.get_linestyle() == "None" and hollow == look.hollow


LONG = ("full", *(f"layerwise_with_a_very_long_name_{number}" for number in range(14)), "oracle", "random")


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("measure", ["accuracy", "loss"])
def test_no_text_covers_another_and_the_legend_is_off_the_data(cost: str, measure: str) -> None:
    readable(whole(cost, measure))


def test_many_long_names_are_in_the_legend_without_overlap() -> None:
    tables = accuracy_tables(("full", "claa", "oracle", "random"))
    for name in LONG[1:-2]:
        tables = with_copy(tables, "claa", name)
    figure = drawn(lambda: tradeoff(tables, "kv_ratio"))
    readable(figure)
    assert len(legend(figure)) == len(LONG) + 1


@pytest.mark.parametrize(("measure", "low", "high"), [("accuracy", 0.0, 1.0), ("loss", 0.0, float("inf"))])
def test_no_axis_goes_beyond_what_the_measure_can_be_by_more_than_a_marker(
    measure: str, low: float, high: float
) -> None:
    for tables in (accuracy_tables(), accuracy_tables(FEW)):
        zeros = replace(tables, summary=_stretched(tables.summary, measure))
        axes = drawn(lambda zeros=zeros: tradeoff(zeros, "kv_ratio", measure)).axes[0]  # type: ignore[misc]
        bottom, top = sorted(axes.get_ylim())
        assert low - 0.1 < bottom < low + 1e-9
        assert top <= high + 0.03 + 1e-9
        assert "cropped" not in axes.get_ylabel()


def _stretched(summary: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Accuracies from 0 to 1, with intervals that are as wide; losses from 0."""
    own = (summary["metric"] == measure) & (summary["statistic"] == "mean") & summary["against"].isna()
    least, most = summary.loc[own, "value"].min(), summary.loc[own, "value"].max()
    value = (summary["value"] - least) / (most - least)
    return summary.assign(
        value=summary["value"].where(~own, value),
        low=summary["low"].where(~own, 0.0 * value).astype("Float64"),
        high=summary["high"].where(~own, 1.0 + 0.0 * value).astype("Float64"),
    )


@pytest.mark.parametrize(("end", "beyond", "marker"), [("low", -9.99, CARETUP), ("high", 9.99, CARETDOWN)])
def test_one_long_interval_does_not_set_the_axis_and_its_bar_has_a_caret_at_the_border(
    end: str, beyond: float, marker: int
) -> None:
    tables = accuracy_tables()
    rows = tables.summary
    long = (rows["metric"] == "loss") & (rows["heuristic"] == "snapkv") & (rows["keep"] == 10)
    long &= (rows["statistic"] == "mean") & rows["sample"].isna() & rows["against"].isna()
    ends = {each: rows[each].where(~long, rows["value"]) for each in ("low", "high")}
    changed = rows.assign(**(ends | {end: ends[end].where(~long, beyond)}))
    figure = drawn(lambda: tradeoff(replace(tables, summary=changed), "kv_ratio", "loss"))
    (axes,) = figure.axes
    border = min(axes.get_ylim()) if end == "low" else max(axes.get_ylim())
    assert abs(border) < 5
    (caret,) = (each for each in axes.get_lines() if each.get_label() == CARET)
    assert (caret.get_marker(), caret.get_color()) == (marker, KNOWN["snapkv"].colour)
    assert [float(each) for each in np.ravel(caret.get_ydata())] == [border]
    assert any(beyond in bar for bar in bars(axes, "snapkv"))
    assert "a caret at the border: longer than is shown." in caption(figure)
    assert CARET not in labels(whole("kv_ratio", "loss").axes[0])
    assert "caret" not in caption(whole("kv_ratio", "loss"))


def test_losses_below_0_are_on_the_axis_where_there_are_any() -> None:
    tables = accuracy_tables(FEW)
    moved = tables.summary.assign(value=tables.summary["value"] - 0.2)
    axes = drawn(lambda: tradeoff(replace(tables, summary=moved), "kv_ratio", "loss")).axes[0]
    assert min(axes.get_ylim()) < -0.2


def test_the_title_names_model_tasks_and_prompts() -> None:
    for cost in COSTS:
        assert whole(cost).get_suptitle().endswith("tiny on longbench (qasper, hotpotqa), n = 12 prompts")


@pytest.mark.parametrize("cost", COSTS)
def test_a_contestant_that_failed_at_a_keep_rate_has_no_point_there_and_is_named(cost: str) -> None:
    figure = tradeoff(without(accuracy_tables(), "gemfilter", keep=[20.0]), cost)
    across, _ = line(figure.axes[0], "gemfilter")
    assert across == pytest.approx([cell("gemfilter", number)[cost] for number in (0, 2)])
    assert "Not measured: gemfilter at 20 %." in caption(figure)
    sizes = [_sizes(each, "gemfilter") for each in (figure, whole(cost))]
    assert sizes[0] == [sizes[1][0], sizes[1][2]]
    assert "Not measured" not in caption(whole(cost))


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("names", [("full",), ("claa",), ("oracle",), ("full", "claa"), ("full", "oracle", "random")])
def test_runs_without_an_oracle_or_a_full_prefill_are_drawn_too(cost: str, names: tuple[str, ...]) -> None:
    figure = tradeoff(accuracy_tables(names), cost)
    assert {name for name in labels(figure.axes[0]) if not name.startswith("_")} == set(names)
    assert ("the oracle" in caption(figure)) == ("oracle" in names)
    assert ("control" in caption(figure)) == ("random" in names)


@pytest.mark.parametrize("cost", COSTS)
def test_a_single_prompt_has_points_without_bars(cost: str) -> None:
    figure = tradeoff(accuracy_tables(prompts=1), cost)
    assert bars(figure.axes[0], "snapkv") == []
    assert "Bars" not in caption(figure)
    assert "Bars" in caption(whole(cost))
    assert line(figure.axes[0], "claa")[1] == pytest.approx(CONTESTANTS["claa"][0])


def test_each_measure_has_two_pictures_the_same_each_time(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        for name, draw in tradeoff_pictures(accuracy_tables(FEW), ("loss",)).items():
            write_picture(tmp_path / folder / name, draw)
    names = {f"loss_against_{cost}.{suffix}" for cost in ("flops", "kv") for suffix in ("png", "pdf")}
    assert {file.name for file in (tmp_path / "a").iterdir()} == names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        assert (tmp_path / "a" / name).stat().st_size > 15_000


@pytest.mark.parametrize("tables", [as_tables(), ttft_tables()])
def test_where_nothing_was_answered_nothing_is_drawn(tables: Tables) -> None:
    assert tradeoff_pictures(tables, ("accuracy", "loss")) == {}


def test_a_measure_that_nobody_has_gets_no_picture() -> None:
    found = tradeoff_pictures(fidelity_tables(FEW), ("reference_loss", "loss", "kl"))
    assert list(found) == ["loss_against_flops", "loss_against_kv", "kl_against_flops", "kl_against_kv"]
