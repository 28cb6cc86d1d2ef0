"""Which part of the range that a measure can have an axis or a colour scale shows."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from tokenrank.records.measures import CORRELATIONS, SHARES

STEP = 0.2  # to multiples of which an axis is cropped
MARGIN = 0.03  # of what is shown, so that a marker at its end is whole
REACH = 0.5  # of the span of the means: so far ranges are shown beyond the means in any case
CUT = "\n(some ranges are cut)"


def score_range(
    metric: str, means: Iterable[float], low: Iterable[float] = (), high: Iterable[float] = ()
) -> tuple[float, float]:
    """Lower and upper end of a scale.

    Args:
        metric: its name.
        means: values that are shown in any case; NaN do not count.
        low: lower ends of the ranges that are drawn around means.
        high: their upper ends.

    Returns:
        0 and 1 for a share; for a correlation 1 and the next multiple of 0.2 below all values, at most 0; for any other metric as
        ``within_reach``, and the two differ.

    >>> score_range("recall", [0.4, 0.5]), score_range("spearman", [-0.31, 0.5]), score_range("mine", [2.0, 7.0])
    ((0.0, 1.0), (-0.4, 1.0), (2.0, 7.0))
    """
    if metric in SHARES:
        return 0.0, 1.0
    if metric in CORRELATIONS:
        lowest = float(_finite([*means, *low]).min(initial=0.0))
        return max(-1.0, float(np.round(np.floor(lowest / STEP + 1e-9) * STEP, 6))), 1.0
    least, most = within_reach(means, low, high)
    return (least, most) if most > least else (least - 0.5, most + 0.5)


def within_reach(means: Iterable[float], low: Iterable[float], high: Iterable[float]) -> tuple[float, float]:
    """Ends of an axis that shows all means, and whole ranges unless one is so long that means could not be told apart.

    Beyond the means there is room for half of their span, or for a range of median length if that is more.

    Args:
        means: NaN do not count.
        low: lower ends of the ranges around them.
        high: their upper ends, as many.

    >>> within_reach([0.0, 2.0, 1.0], [-9.0, 1.5, 0.8], [0.5, 2.5, 1.2])
    (-1.0, 2.5)
    """
    values, lower, upper = _finite(means), list(low), list(high)
    if not len(values):
        return 0.0, 1.0
    least, most = float(values.min()), float(values.max())
    lengths = _finite(np.array(upper, dtype=float) - np.array(lower, dtype=float))
    room = max(REACH * (most - least), float(np.median(lengths)) if len(lengths) else 0.0)
    lowest, highest = _finite(lower).min(initial=least), _finite(upper).max(initial=most)
    return max(least - room, float(lowest)), min(most + room, float(highest))


def _finite(values: Iterable[float]) -> "np.ndarray[Any, np.dtype[np.float64]]":
    return np.array([value for value in values if np.isfinite(value)], dtype=float)


def is_cut(limits: tuple[float, float], low: Iterable[float], high: Iterable[float]) -> bool:
    """Whether a range goes beyond these ends of an axis.

    >>> is_cut((-1.0, 2.5), [-9.0, 1.5], [0.5, 2.5]), is_cut((-1.0, 2.5), [-1.0], [float("nan")])
    (True, False)
    """
    return bool((_finite(low) < limits[0]).any() or (_finite(high) > limits[1]).any())


def cropped(metric: str, low: float) -> str:
    """Says so where a scale from ``low`` does not show all values that a metric can have; else empty.

    >>> cropped("spearman", -0.4), cropped("recall", 0.0)
    (' (-1 to 1, cropped)', '')
    """
    return " (-1 to 1, cropped)" if metric in CORRELATIONS and low > -1 else ""


def widened(low: float, high: float) -> tuple[float, float]:
    """The ends of an axis, a little farther out, so that markers at the end of the range are whole."""
    room = MARGIN * (high - low)
    return low - room, high + room
