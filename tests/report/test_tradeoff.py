"""Accuracy against its cost: the lines are the table's numbers, the oracle is a bound without a time, gaps are named."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

from tests.report.engine_tables import ENGINES, RATES, accuracy_table, cell
from tokenrank.report.engine_style import KNOWN
from tokenrank.report.tradeoff import draw_tradeoff, tradeoff

COSTS = ("prefill_ratio", "kv_ratio")
METHODS = [name for name in ENGINES if name not in ("full", "oracle")]


@cache
def whole(cost: str) -> Figure:
    """Of the whole table."""
    return tradeoff(accuracy_table(), cost)


def line(axes: Axes, name: str) -> tuple[list[float], list[float]]:
    (found,) = (each for each in axes.get_lines() if each.get_label() == name)
    return np.asarray(found.get_xdata(), float).tolist(), np.asarray(found.get_ydata(), float).tolist()


def labels(axes: Axes) -> list[str]:
    return [str(each.get_label()) for each in axes.get_lines()]


def caption(drawn: Figure) -> str:
    return " ".join(drawn.get_supxlabel().split())


def bars(axes: Axes, name: str) -> list[list[float]]:
    """[across, low, high] of each bar in the colour of that engine."""
    of_engine = [
        each
        for each in axes.collections
        if isinstance(each, LineCollection) and to_hex(each.get_color()[0]) == KNOWN[name].colour  # type: ignore[arg-type]
    ]
    parts = [np.asarray(part) for each in of_engine for part in each.get_segments()]
    return [[float(part[0, 0]), *sorted(part[:, 1].tolist())] for part in parts]


@pytest.mark.parametrize("cost", COSTS)
def test_a_line_runs_through_its_engines_keep_rates(cost: str) -> None:
    (axes,) = whole(cost).axes
    for name in METHODS + (["oracle"] if cost == "kv_ratio" else []):
        across, up = line(axes, name)
        assert across == pytest.approx([cell(name, number)[cost] for number in range(3)])
        assert up == pytest.approx(ENGINES[name][0])


@pytest.mark.parametrize("cost", COSTS)
def test_bars_are_the_intervals_of_the_score(cost: str) -> None:
    (axes,) = whole(cost).axes
    expected = [[cell("claa", n)[cost], score - 0.02, score + 0.02] for n, score in enumerate(ENGINES["claa"][0])]
    assert np.array(bars(axes, "claa")) == pytest.approx(np.array(expected))


@pytest.mark.parametrize("cost", COSTS)
def test_the_full_prefill_is_one_point_and_a_level(cost: str) -> None:
    (axes,) = whole(cost).axes
    assert line(axes, "full") == ([1.0], [0.49])
    levels = [each for each in axes.get_lines() if each.get_linestyle() == "-" and each.get_marker() == "None"]
    assert [set(np.asarray(each.get_ydata(), float).tolist()) for each in levels] == [{0.49}]


def test_against_time_the_oracle_is_three_levels_and_its_time_is_nowhere() -> None:
    table = accuracy_table()
    slow = table.copy()
    slow.loc[(slow["heuristic"] == "oracle") & slow["metric"].str.startswith("prefill"), "value"] = 1000.0
    none = table[~((table["heuristic"] == "oracle") & table["metric"].str.startswith("prefill"))]
    limits = set()
    for each in (table, slow, none):
        figure = tradeoff(each, "prefill_ratio")
        (axes,) = figure.axes
        assert "oracle" not in labels(axes)
        for k, score in zip(RATES, ENGINES["oracle"][0], strict=True):
            assert line(axes, f"oracle, {k:g} %") == ([0, 1], [score, score])  # from edge to edge
        assert "its time is not a speed" in caption(figure)
        assert "Not measured" not in caption(figure)
        limits.add(axes.get_xlim())
    assert len(limits) == 1
    slow["heuristic"] = slow["heuristic"].replace({"oracle": "tova"})
    assert tradeoff(slow, "prefill_ratio").axes[0].get_xlim() not in limits  # another engine's time does move it


def test_names_and_keep_rates_are_written_beside_their_points() -> None:
    (axes,) = whole("kv_ratio").axes
    for name in [*METHODS, "oracle"]:
        texts = [text for text in axes.texts if text.get_color() == KNOWN[name].colour and text.get_text()]
        assert [text.get_text() for text in texts if text.get_text() != "full prefill"] == [name, "10", "20", "40"]
        rates = [text for text in texts if isinstance(text, Annotation) and text.get_text() in ("10", "20", "40")]
        assert [text.xy for text in rates] == [
            pytest.approx((cell(name, number)["kv_ratio"], ENGINES[name][0][number])) for number in range(3)
        ]


@pytest.mark.parametrize("cost", COSTS)
def test_no_text_covers_another(cost: str) -> None:
    figure = whole(cost)
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in figure.axes[0].texts if text.get_text()]  # without leaders
    shared = [Bbox.intersection(a, b) for number, a in enumerate(boxes) for b in boxes[:number]]
    assert [box for box in shared if box is not None and box.width > 0 and box.height > 0] == []
    assert len(boxes) > 4 * len(METHODS)


def test_the_title_names_model_tasks_and_prompts() -> None:
    for cost in COSTS:
        assert whole(cost).get_suptitle().endswith("tiny on longbench (qasper, hotpotqa), 12 prompts")


@pytest.mark.parametrize("cost", COSTS)
def test_an_engine_that_failed_at_a_keep_rate_has_no_point_there_and_is_named(cost: str) -> None:
    table = accuracy_table()
    gone = table[~((table["heuristic"] == "gemfilter") & (table["k"] == 20))]
    figure = tradeoff(gone, cost)
    across, _ = line(figure.axes[0], "gemfilter")
    assert across == pytest.approx([cell("gemfilter", number)[cost] for number in (0, 2)])
    assert "Not measured: gemfilter at 20 %." in caption(figure)
    assert "Not measured" not in caption(whole(cost))


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("names", [("full",), ("claa",), ("oracle",), ("full", "claa"), ("full", "oracle", "random")])
def test_runs_without_an_oracle_or_a_full_prefill_are_drawn_too(cost: str, names: tuple[str, ...]) -> None:
    figure = tradeoff(accuracy_table(names), cost)
    drawn = {name for name in labels(figure.axes[0]) if not name.startswith("_")}
    assert {name.split(",")[0] for name in drawn} == set(names)
    assert ("oracle" in caption(figure)) == ("oracle" in names)
    assert ("control" in caption(figure)) == ("random" in names)


@pytest.mark.parametrize("cost", COSTS)
def test_a_single_prompt_has_points_without_bars(cost: str) -> None:
    figure = tradeoff(accuracy_table(prompts=1), cost)
    assert bars(figure.axes[0], "claa") == []
    assert "Bars" not in caption(figure)
    assert "Bars" in caption(whole(cost))
    assert line(figure.axes[0], "claa")[1] == pytest.approx(ENGINES["claa"][0])


def test_two_pictures_as_png_and_pdf_the_same_each_time(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        draw_tradeoff(accuracy_table(), tmp_path / folder)
    names = {f"accuracy_against_{cost}.{suffix}" for cost in ("time", "kv") for suffix in ("png", "pdf")}
    assert {file.name for file in (tmp_path / "a").iterdir()} == names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        assert (tmp_path / "a" / name).stat().st_size > 15_000


@pytest.mark.parametrize("table", [accuracy_table().head(0), accuracy_table().query("metric != 'score'")])
def test_where_nothing_was_answered_nothing_is_drawn(tmp_path: Path, table: pd.DataFrame) -> None:
    draw_tradeoff(table, tmp_path)
    assert list(tmp_path.iterdir()) == []
