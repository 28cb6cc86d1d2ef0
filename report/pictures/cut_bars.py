"""Carets where a bar goes beyond the end of an axis, which is set by the means (``score_range``)."""

from collections.abc import Iterable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.markers import CARETDOWN, CARETLEFT, CARETRIGHT, CARETUP
from matplotlib.transforms import Transform

SIZE = 3.5  # points
LABEL = "cut bar"


def mark_cut(
    axes: Axes, places: Iterable[float], low: Iterable[float], high: Iterable[float], colour: str,
    where: Transform | None = None, *, sideways: bool = False,
) -> None:  # fmt: skip
    """A caret at the border for each end of a bar that lies beyond it; the limits of the axes are final.

    Args:
        axes: with the bars.
        places: of the bars on the other axis.
        low: lower ends of the bars; NaN have none.
        high: upper ends.
        colour: of the carets.
        where: transform of the bars; None: that of the data.
        sideways: whether the bars are horizontal.
    """
    first, last = axes.get_xlim() if sideways else axes.get_ylim()
    least, most = min(first, last), max(first, last)
    towards = (CARETLEFT, CARETRIGHT) if sideways else (CARETDOWN, CARETUP)
    small, large = towards if first < last else towards[::-1]
    look: dict[str, Any] = {"linestyle": "none", "color": colour, "markersize": SIZE, "zorder": 3, "label": LABEL}
    for at, marker, beyond in (
        (least, small, [end < least for end in low]),
        (most, large, [end > most for end in high]),
    ):
        own = [place for place, cut in zip(places, beyond, strict=True) if cut]
        if own:
            xy = ([at] * len(own), own) if sideways else (own, [at] * len(own))
            axes.plot(*xy, marker=marker, transform=where or axes.transData, **look)
