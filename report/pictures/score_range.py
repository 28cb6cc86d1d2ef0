"""Which part of the range that a measure can have an axis or a colour scale shows."""

from collections.abc import Iterable

import numpy as np

from tokenrank.records.measures import CORRELATIONS, SHARES

STEP = 0.2  # to multiples of which an axis is cropped
MARGIN = 0.03  # of what is shown, so that a marker at its end is whole


def score_range(metric: str, shown: Iterable[float]) -> tuple[float, float]:
    """Lower and upper end of a scale.

    Args:
        metric: its name.
        shown: values; NaN do not count.

    Returns:
        0 and 1 for a share; for a correlation 1 and the next multiple of 0.2 below all values, at most 0; for any other metric the
        smallest and largest value, which differ.

    >>> score_range("recall", [0.4, 0.5]), score_range("spearman", [-0.31, 0.5]), score_range("mine", [2.0, 7.0])
    ((0.0, 1.0), (-0.4, 1.0), (2.0, 7.0))
    """
    values = np.array([value for value in shown if np.isfinite(value)])
    if metric in SHARES:
        return 0.0, 1.0
    if metric in CORRELATIONS:
        lowest = float(values.min(initial=0.0))
        return max(-1.0, float(np.round(np.floor(lowest / STEP + 1e-9) * STEP, 6))), 1.0
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


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
