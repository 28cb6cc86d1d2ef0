"""The layer at which each ranking is worst: the one definition for sentences, the page, pictures and the terminal."""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

FLAT = 0.0005  # a fall below it would read as 0.000
COLUMNS = ["layer", "value", "mean", "drop", "flat", "near", "near_value"]
NEAR = 0.1  # of the drop: so near to the worst layer, another one is named too


def counted_layers(layers: Sequence[int], windowed: Collection[int]) -> list[int]:
    """The layers that statistics over layers are over: those without a sliding window, or all where each has one.

    >>> counted_layers([0, 1, 2], windowed=[1]), counted_layers([0, 1], windowed=[0, 1])
    ([0, 2], [0, 1])
    """
    return [layer for layer in layers if layer not in windowed] or list(layers)


def worst_layers(means: pd.DataFrame, windowed: Collection[int]) -> pd.DataFrame:
    """The first layer with the lowest mean over prompts, of each ranking, among the layers that count.

    Most tokens are out of reach of a layer with a sliding window, so that their scores tie: such layers count only where the model has no
    others, as in the statistics over layers of summary.parquet.

    Args:
        means: over prompts; index heuristics, columns layers, ascending.
        windowed: numbers of the layers with a sliding window.

    Returns:
        Index heuristics that have a value, in the order given; columns ``layer`` (number in the model), ``value`` (the mean there), ``mean`` (over the same
        layers), ``drop`` (mean - value), ``flat`` (the drop would read as 0.000: all layers are alike, none is the worst), and ``near`` and
        ``near_value``, the second lowest layer where it is less than a tenth of the drop above the worst, else NaN.
    """
    counted = means[counted_layers([int(layer) for layer in means.columns], windowed)]
    counted = counted.dropna(axis="columns", how="all").dropna(how="all")
    if counted.empty:
        return pd.DataFrame(columns=COLUMNS, index=counted.index).astype({"layer": int, "flat": bool})
    found = pd.DataFrame({"layer": counted.idxmin(axis=1), "value": counted.min(axis=1), "mean": counted.mean(axis=1)})
    second = counted.apply(lambda row: row.drop(row.idxmin()).min(), axis=1)
    where = counted.apply(
        lambda row: row.drop(row.idxmin()).fillna(np.inf).idxmin() if len(row) > 1 else np.nan, axis=1
    )
    drop = found["mean"] - found["value"]
    tie = second - found["value"] <= NEAR * drop
    near = pd.DataFrame({"near": where.where(tie).astype(float), "near_value": second.where(tie)})
    return found.assign(layer=found["layer"].astype(int), drop=drop, flat=drop < FLAT).join(near)
