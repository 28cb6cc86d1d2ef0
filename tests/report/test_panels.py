"""Heat maps side by side: even rows without an empty panel, labels at the edges, and one colour bar with the chance level."""

import numpy as np
import pytest

from tokenrank.report.panels import SHARE, colour_bar, panels


@pytest.mark.parametrize(("count", "rows", "columns"), [(1, 1, 1), (4, 1, 4), (5, 2, 3), (9, 3, 3)])
def test_rows_are_even_and_no_panel_is_empty(count: int, rows: int, columns: int) -> None:
    names = [f"number {number}" for number in range(count)]
    figure, shown = panels(names, 2, 2, "across", "up")
    assert [axes.get_title() for axes in shown] == names
    assert [axes for axes in figure.axes if axes.get_visible()] == shown
    assert len([axes for axes in shown if axes.get_xlabel() == "across"]) == columns
    assert len([axes for axes in shown if axes.get_ylabel() == "up"]) == rows


def test_a_few_narrow_panels_are_made_larger() -> None:
    (narrow, _), (wide, _) = (panels(["a"], width, 2, "", "") for width in (1, 5))
    assert narrow.get_figwidth() == pytest.approx(1.3 + 3.4)
    assert wide.get_figwidth() == pytest.approx(1.3 + 5)


@pytest.mark.parametrize(("chance", "label"), [(0.25, "recall (dashed: chance)"), (None, "recall")])
def test_the_colour_bar_has_the_chance_level_where_there_is_one(chance: float | None, label: str) -> None:
    figure, shown = panels(["a", "b"], 2, 2, "", "")
    image = shown[0].imshow(np.zeros((2, 2)), **SHARE)
    colour_bar(figure, image, shown, "recall", chance)
    (bar,) = (axes for axes in figure.axes if axes not in shown)
    assert bar.get_ylabel() == label
    levels = [set(np.asarray(line.get_ydata(), float).tolist()) for line in bar.get_lines()]
    assert levels == ([] if chance is None else [{chance}])
