"""Of single layers: the 95 % interval of the mean over prompts, computed as the intervals of summary.parquet are."""

import numpy as np
import pandas as pd

from tokenrank.metrics.intervals import mean_intervals
from tokenrank.records.schema import ORACLE


def layer_intervals(values: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Low and high ends of the mean of every heuristic at every layer: index heuristics, columns layers.

    NaN below three prompts, where a prompt has no value at the layer, and for the oracle where all prompts have the same value, which
    is so by definition.

    Args:
        values: index (heuristic, sample), columns layers.
    """
    wide = values.unstack("heuristic")
    numbers = wide.to_numpy(dtype=float)
    known = np.isfinite(numbers).all(axis=0)
    ends = np.full((2, wide.shape[1]), np.nan)
    if known.any():
        ends[:, known] = mean_intervals(numbers[:, known])
    fixed = (numbers == numbers[0]).all(axis=0) & (wide.columns.get_level_values("heuristic") == ORACLE)
    ends[:, fixed] = np.nan
    found = pd.DataFrame(ends.T, index=wide.columns, columns=["low", "high"])
    low, high = (found[end].unstack("heuristic").T for end in ("low", "high"))
    order = values.index.get_level_values("heuristic").unique()
    return low.reindex(order), high.reindex(order)
