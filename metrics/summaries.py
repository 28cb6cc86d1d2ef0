"""Summaries of a metric over the layers of a model."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def over_layers(values: Numbers, layers: Sequence[int]) -> dict[str, Numbers]:
    """Summaries over layers, for many rows at once; a row is one metric of one heuristic on one prompt.

    Args:
        values: (rows, layers), higher = better.
        layers: the layers' numbers in the model, in the order of the columns.

    Returns:
        Each (rows,) float64: ``mean``; ``std``, the standard deviation of these layers (divided by their number);
        ``worst``, the smallest value; ``worst_layer``, the number of the first layer that has it; ``worst_drop``,
        mean - worst; ``neighbour_drop``, the largest decrease from one layer to the next (0 if there is none).

    Raises:
        ValueError: the shape is another, there is no layer, or there are not as many numbers as columns.

    >>> over_layers(np.array([[0.6, 0.2, 0.7]]), [0, 1, 2])["worst_layer"]
    array([1.])
    """
    if values.ndim != 2:
        raise ValueError(f"values have the shape {values.shape}, must be (rows, layers)")
    if values.shape[1] == 0 or values.shape[1] != len(layers):
        raise ValueError(f"{values.shape[1]} values and {len(layers)} layer numbers: must be as many, at least one")
    values = values.astype(np.float64, copy=False)
    worst, best = values.min(axis=1), values.max(axis=1)
    same = worst == best  # else rounding gives a ranking that is the same at all layers a spread, and that an interval
    mean = np.where(same, worst, values.mean(axis=1))
    drops = values[:, :-1] - values[:, 1:]
    return {
        "mean": mean,
        "std": np.where(same, 0.0, values.std(axis=1)),
        "worst": worst,
        "worst_layer": np.asarray(layers, dtype=np.float64)[values.argmin(axis=1)],
        "worst_drop": mean - worst,
        "neighbour_drop": drops.max(axis=1, initial=0.0),
    }
