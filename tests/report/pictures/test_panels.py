"""Heat maps side by side: even rows without an empty panel, labels at the edges, and one colour bar with the chance level."""

import numpy as np
import pytest

from tokenrank.report.pictures.panels import SHARE, colour_bar, panels


@pytest.mark.parametrize(("count", "rows", "columns"), [(1, 1, 1), (4, 1, 4), (5, 2, 3), (9, 3, 3)])
def test_rows_are_even_and_no_panel_is_empty(count: int, rows: int, columns: int) -> None:
    names = [f"number {number}" for number in range(count)]
    figure, shown = panels(names, 2, "across", "up")
    assert [axes.get_title() for axes in shown] == names
    assert [axes for axes in figure.axes if axes.get_visible()] == shown
    assert len([axes for axes in shown if axes.get_xlabel() == "across"]) == columns
    assert len([axes for axes in shown if axes.get_ylabel() == "up"]) == rows


@pytest.mark.parametrize(("count", "most", "width"), [(1, 4, 3.3), (1, 1, 6.9), (2, 4, 6.9), (9, 4, 6.9)])
def test_a_figure_is_as_wide_as_one_or_two_columns_of_a_paper(count: int, most: int, width: float) -> None:
    figure, shown = panels([f"number {number}" for number in range(count)], 2, "", "", most)
    assert figure.get_figwidth() == width
    assert len({axes.get_position().y0 for axes in shown}) == -(-count // most)


@pytest.mark.parametrize(
    ("chance", "label"), [(0.25, "recall (dashed: chance)"), (None, "recall"), (float("nan"), "recall")]
)
def test_the_colour_bar_has_the_chance_level_where_there_is_one(chance: float | None, label: str) -> None:
    figure, shown = panels(["a", "b"], 2, "", "")
    image = shown[0].imshow(np.zeros((2, 2)), **SHARE)
    colour_bar(figure, image, shown, "recall", chance)
    (bar,) = (axes for axes in figure.axes if axes not in shown)
    assert bar.get_ylabel() == label
    levels = [set(np.asarray(line.get_ydata(), float).tolist()) for line in bar.get_lines()]
    assert levels == ([{chance}] if "chance" in label else [])
