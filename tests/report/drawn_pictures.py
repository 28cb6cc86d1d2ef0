"""What tests look at in a picture: the texts that overlap, the lines and the bands."""

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox

from tokenrank.report.pictures.drawing import in_style

TOUCH = 0.5  # pixels that boxes of neighbouring texts may share


def drawn(make: Callable[[], Figure]) -> Figure:
    """The figure, made and laid out as for its file."""
    with in_style():
        figure = make()
        figure.draw_without_rendering()
    return figure


def texts(figure: Figure) -> dict[str, list[Bbox]]:
    """Boxes in pixels of every text that can be seen: titles, labels, numbers along axes, legends, notes."""
    shown = [*figure.texts, *(text for legend in figure.legends for text in [*legend.get_texts(), legend.get_title()])]
    for axes in (each for each in figure.axes if each.get_visible()):
        shown += [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.get_major_ticks() if low - 1e-9 <= tick.get_loc() <= high + 1e-9]
            shown += [label for tick in ticks for label in (tick.label1, tick.label2)]
    found: dict[str, list[Bbox]] = {}
    for text in shown:
        if text.get_visible() and text.get_text().strip():
            found.setdefault(text.get_text(), []).append(text.get_window_extent())
    return found


def overlapping(figure: Figure) -> list[tuple[str, str]]:
    """Pairs of texts whose boxes share an area."""
    found = [(name, box) for name, each in texts(figure).items() for box in each]
    corners = np.array([[box.min, box.max] for _, box in found])  # (texts, 2, 2)
    low = np.maximum(corners[:, None, 0], corners[None, :, 0])
    high = np.minimum(corners[:, None, 1], corners[None, :, 1])
    shared = np.triu((high - low).min(axis=-1) > TOUCH, k=1)
    return [(found[a][0], found[b][0]) for a, b in np.argwhere(shared)]


def outside(figure: Figure) -> list[str]:
    """Texts that are not wholly within the figure."""
    whole = figure.bbox
    return [
        name
        for name, boxes in texts(figure).items()
        for box in boxes
        if box.x0 < whole.x0 - 1 or box.x1 > whole.x1 + 1 or box.y0 < whole.y0 - 1 or box.y1 > whole.y1 + 1
    ]


def on_axes(figure: Figure) -> list[str]:
    """Names in legends whose boxes lie on axes."""
    frames = [axes.get_window_extent() for axes in figure.axes if axes.get_visible()]
    return [
        text.get_text()
        for legend in figure.legends
        for text in legend.get_texts()
        if any(frame.overlaps(text.get_window_extent()) for frame in frames)
    ]


def readable(figure: Figure) -> None:
    """Asserts that no text covers another, none leaves the figure, and legends are off the data."""
    assert overlapping(figure) == []
    assert outside(figure) == []
    assert on_axes(figure) == []


def course(line: Line2D) -> tuple[list[float], list[float]]:
    """Where a line runs, across and up."""
    across, up = np.asarray(line.get_xdata(), dtype=float), np.asarray(line.get_ydata(), dtype=float)
    return across.tolist(), up.tolist()


def named(axes: Axes, name: str) -> Line2D:
    """The line of that name."""
    (found,) = (each for each in axes.get_lines() if each.get_label() == name)
    return found


def band(axes: Axes, name: str, at: float) -> tuple[float, float]:
    """Lower and upper edge of the band of that name, at a place across."""
    (found,) = (each for each in axes.collections if isinstance(each, PolyCollection) and each.get_label() == name)
    corners = np.asarray(found.get_paths()[0].vertices)
    heights = corners[np.isclose(corners[:, 0], at), 1]
    return float(heights.min()), float(heights.max())


def panels(figure: Figure) -> dict[str, Axes]:
    """The axes that can be seen and have a title, by title."""
    return {axes.get_title(): axes for axes in figure.axes if axes.get_visible() and axes.get_title()}
