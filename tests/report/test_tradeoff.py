"""Accuracy, loss and KL against cost: lines are the table's numbers, better is up, the oracle's ranking is not counted, gaps are named."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

from tests.report.contestant_examples import CONTESTANTS, accuracy_tables, as_tables, cell, fidelity_tables, without
from tests.report.ttft_examples import ttft_tables
from tokenrank.records.tables import Tables
from tokenrank.report.contestant_style import KNOWN, styles
from tokenrank.report.drawing import write_picture
from tokenrank.report.tradeoff import tradeoff, tradeoff_pictures

COSTS = ("flops_ratio", "kv_ratio")
FEW = ("full", "claa", "oracle@claa")
METHODS = [name for name in CONTESTANTS if name != "full"]


@cache
def whole(cost: str, measure: str = "accuracy") -> Figure:
    """Of all contestants."""
    return tradeoff(accuracy_tables(), cost, measure)


def line(axes: Axes, name: str) -> tuple[list[float], list[float]]:
    (found,) = (each for each in axes.get_lines() if each.get_label() == name)
    return np.asarray(found.get_xdata(), float).tolist(), np.asarray(found.get_ydata(), float).tolist()


def labels(axes: Axes) -> list[str]:
    return [str(each.get_label()) for each in axes.get_lines()]


def caption(drawn: Figure) -> str:
    return " ".join(drawn.get_supxlabel().split())


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
    assert "by the answer itself; a bound, not a method; its ranking costs no FLOPs here." in caption(
        whole("flops_ratio")
    )
    assert "by the answer itself; a bound, not a method. Dotted: a control" in caption(whole("kv_ratio"))


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
    assert upright.get_ylabel() == "accuracy, mean over prompts"
    for name in METHODS:
        across, up = line(axes, name)
        assert across == pytest.approx([cell(name, number)["kv_ratio"] for number in range(3)])
        assert up == pytest.approx([cell(name, number)[measure] for number in range(3)])
    assert line(axes, "full") == ([1.0], [0.0])


def test_the_title_names_measure_and_cost() -> None:
    titles = [
        whole(cost, measure).get_suptitle().partition(":")[0]
        for cost, measure in (("flops_ratio", "accuracy"), ("kv_ratio", "loss"), ("kv_ratio", "kl"))
    ]
    assert titles == ["Accuracy against FLOPs", "Loss against KV cache", "KL against KV cache"]


def test_names_and_keep_rates_are_written_beside_their_points() -> None:
    (axes,) = whole("kv_ratio").axes
    texts = [text for text in axes.texts if isinstance(text, Annotation) and text.get_text()]
    assert sorted(text.get_text() for text in texts if text.get_fontweight() == "bold") == sorted(METHODS)
    looks = styles(list(CONTESTANTS))
    for name in METHODS:
        (own,) = (text for text in texts if text.get_text() == name)
        assert own.get_color() == looks[name].colour
        for number, rate in enumerate(("10", "20", "40")):
            place = cell(name, number)["kv_ratio"], CONTESTANTS[name][0][number]
            at_place = [each for each in texts if each.xy == pytest.approx(place) and each.get_text() != name]
            assert (rate, own.get_color()) in {(each.get_text(), str(each.get_color())) for each in at_place}


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("measure", ["accuracy", "loss"])
def test_no_text_covers_another(cost: str, measure: str) -> None:
    figure = whole(cost, measure)
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in figure.axes[0].texts if text.get_text()]  # without leaders
    shared = [Bbox.intersection(a, b) for number, a in enumerate(boxes) for b in boxes[:number]]
    assert [box for box in shared if box is not None and box.width > 0 and box.height > 0] == []
    assert len(boxes) > 4 * len(METHODS)


def test_the_title_names_model_tasks_and_prompts() -> None:
    for cost in COSTS:
        assert whole(cost).get_suptitle().endswith("tiny on longbench (qasper, hotpotqa), 12 prompts")


@pytest.mark.parametrize("cost", COSTS)
def test_a_contestant_that_failed_at_a_keep_rate_has_no_point_there_and_is_named(cost: str) -> None:
    figure = tradeoff(without(accuracy_tables(), "gemfilter", keep=[20.0]), cost)
    across, _ = line(figure.axes[0], "gemfilter")
    assert across == pytest.approx([cell("gemfilter", number)[cost] for number in (0, 2)])
    assert "Not measured: gemfilter at 20 %." in caption(figure)
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
