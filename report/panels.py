"""Heat maps side by side, a panel for each heuristic or contestant, with one colour bar."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from tokenrank.report.drawing import INK, PANELS_A_ROW, REFERENCE

SHARE: dict[str, Any] = {"cmap": "viridis", "vmin": 0, "vmax": 1, "interpolation": "nearest", "aspect": "auto"}
LEAST = 3.4  # inches: minimal width of all panels of a row together


def panels(names: Sequence[str], width: float, height: float, across: str, up: str) -> tuple[Figure, list[Axes]]:
    """A figure with one panel a name, at most four a row, in rows as even as possible, without an empty panel.

    Args:
        names: titles of the panels.
        width: of a panel, in inches; a few narrow ones are widened, so that the title fits.
        height: of a panel, in inches.
        across: label of the horizontal axis, under the lowest panel of each column.
        up: label of the vertical axis, beside the first panel of each row.
    """
    rows = -(-len(names) // PANELS_A_ROW)
    columns = -(-len(names) // rows)
    larger = max(1, LEAST / (width * columns))
    figure = Figure(figsize=(1.3 + width * larger * columns, 1.0 + height * larger * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for unused in grid.flat[len(names) :]:
        unused.set_visible(False)
    for lowest in grid.flat[max(0, len(names) - columns) : len(names)]:
        lowest.tick_params(labelbottom=True)
        lowest.set_xlabel(across, fontsize=9)
    for first in grid[:, 0]:
        first.set_ylabel(up, fontsize=9)
    used = list(grid.flat[: len(names)])
    for panel, name in zip(used, names, strict=True):
        panel.set_title(name, fontsize=10, color=INK)
        panel.tick_params(labelsize=8)
    return figure, used


def colour_bar(figure: Figure, image: AxesImage, shown: Sequence[Axes], name: str, by_chance: float | None) -> None:
    """One colour bar for all panels; the chance level, if there is one, is a dashed line in it."""
    named = name if by_chance is None else f"{name} (dashed: chance)"
    rows = len({each.get_position().y0 for each in shown})
    bar = figure.colorbar(image, ax=list(shown), label=named, pad=0.01, aspect=12 * rows)
    bar.ax.tick_params(labelsize=8)
    if by_chance is not None:
        bar.ax.axhline(by_chance, color=REFERENCE, linestyle="--", dashes=(1.2, 0.8), linewidth=2)
