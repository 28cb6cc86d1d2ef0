"""Heat maps side by side, a panel for each heuristic or contestant, with one colour bar."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from tokenrank.report.pictures.drawing import DOUBLE, INK, PANELS_A_ROW, REFERENCE, SINGLE

SHARE: dict[str, Any] = {"cmap": "viridis", "vmin": 0, "vmax": 1, "interpolation": "nearest", "aspect": "auto"}
LIGHT = 0.48  # brightness of a colour, from 0 to 1, from which on the writing on it is dark
BRIGHTNESS = (0.299, 0.587, 0.114)  # shares of red, green and blue
TITLED = 34  # letters of the titles in a row of panels over two columns of a paper, on a line


def panels(
    names: Sequence[str], height: float, across: str, up: str, most: int = PANELS_A_ROW
) -> tuple[Figure, list[Axes]]:
    """A figure with one panel a name, in rows as even as possible, without an empty panel; one panel takes one column's width.

    Args:
        names: titles of the panels.
        height: of a panel, in inches.
        across: label of the horizontal axis, under the lowest panel of each column.
        up: label of the vertical axis, beside the first panel of each row.
        most: panels a row.
    """
    rows = -(-len(names) // most)
    columns = -(-len(names) // rows)
    figure = Figure(
        figsize=(SINGLE if columns == 1 < most else DOUBLE, 0.6 + (height + 0.2) * rows), layout="constrained"
    )
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for unused in grid.flat[len(names) :]:
        unused.set_visible(False)
    for lowest in grid.flat[max(0, len(names) - columns) : len(names)]:
        lowest.tick_params(labelbottom=True)
        lowest.set_xlabel(across)
    for first in grid[:, 0]:
        first.set_ylabel(up)
    used = list(grid.flat[: len(names)])
    for panel, name in zip(used, names, strict=True):
        panel.set_title(fill(name, 2 * TITLED // max(2, columns)))
    return figure, used


def ink_on(image: AxesImage, value: float) -> str:
    """The colour of writing that can be read on the colour of a value."""
    behind = np.asarray(image.to_rgba(np.array([value])), dtype=float)[0, :3]
    return INK if behind @ BRIGHTNESS >= LIGHT else "white"


def colour_bar(figure: Figure, image: AxesImage, shown: Sequence[Axes], name: str, by_chance: float | None) -> None:
    """One colour bar for all panels; the chance level, if there is one and it is not NaN, is a dashed line in it."""
    known = by_chance is not None and np.isfinite(by_chance)
    named = f"{name} (dashed: chance)" if known else name
    rows = len({each.get_position().y0 for each in shown})
    bar = figure.colorbar(image, ax=list(shown), label=named, pad=0.01, aspect=14 * rows)
    if by_chance is not None and known:
        bar.ax.axhline(by_chance, color=REFERENCE, linestyle="--", dashes=(1.2, 0.8), linewidth=1.6)
