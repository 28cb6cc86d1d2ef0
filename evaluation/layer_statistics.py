"""Statistics over the layers of one prompt, of many heuristics and metrics at once."""

import numpy as np
from numpy.typing import NDArray

from tokenrank.metrics.summaries import Numbers, over_layers

STATISTICS = ("mean", "std", "worst", "worst_layer", "worst_drop", "neighbour_drop")


def statistics_over_layers(
    series: NDArray[np.int64], layers: NDArray[np.int64], values: Numbers
) -> tuple[NDArray[np.int64], Numbers]:
    """The statistics of each series over the layers at which it has a value.

    Args:
        series: (rows,) a number for each heuristic, metric and k.
        layers: (rows,) number of the layer.
        values: (rows,).

    Returns:
        The series (series,), ascending, and their STATISTICS (series, statistics).
    """
    whose, place = np.unique(series, return_inverse=True)
    numbers, column = np.unique(layers, return_inverse=True)
    wide = np.full((len(whose), len(numbers)), np.nan)
    wide[place, column] = values
    measured = np.zeros(wide.shape, dtype=bool)
    measured[place, column] = True
    found = np.full((len(whose), len(STATISTICS)), np.nan)
    patterns, of_series = np.unique(measured, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):  # a metric between neighbours has no value at the first layer
        chosen = of_series.ravel() == number
        every = over_layers(wide[np.ix_(chosen, pattern)], numbers[pattern].tolist())
        found[chosen] = np.stack([every[statistic] for statistic in STATISTICS], axis=1)
    return whose, found
