"""How much of what the oracle gains over chance does an engine gain?"""

import numpy as np
import pandas as pd

from tokenrank.evaluation.statistics import LEVEL
from tokenrank.metrics.intervals import Numbers, bootstrap_means


def gap_closed(scores: pd.DataFrame, low: str, high: str, seed: int, resamples: int) -> dict[str, tuple[float, ...]]:
    """(mean of an engine - mean of ``low``) / (mean of ``high`` - mean of ``low``), with its bootstrap 95 % interval.

    1 closes the gap, 0 is no better than ``low``; below and above happen. The interval takes the same prompts for all three.

    Args:
        scores: (samples, engines).
        low: the engine at the gap's lower end: random.
        high: that at its upper end: the oracle.
        seed: of the bootstrap.
        resamples: of the bootstrap.

    Returns:
        By engine (value, lower end, upper end). All are NaN where ``high`` does not beat ``low``; the ends are where there is one
        sample, or where more than 2.5 % of the resamples see no gap.
    """
    values = scores.to_numpy(dtype=float)
    places = [list(scores).index(name) for name in (low, high)]
    share = _share(values.mean(axis=0, keepdims=True), *places)[0]
    ends = np.full((2, values.shape[1]), np.nan)
    if len(values) > 1 and np.isfinite(share).any():
        shares = _share(bootstrap_means(values, resamples, seed), *places)
        if np.isnan(shares).any(axis=1).mean() <= 1 - LEVEL[1] / 100:
            ends = np.nanpercentile(shares, LEVEL, axis=0)
    return {str(name): (float(share[i]), *map(float, ends[:, i])) for i, name in enumerate(scores)}


def _share(means: Numbers, low: int, high: int) -> Numbers:
    """(rows, engines): NaN in rows without a gap."""
    gap = means[:, high] - means[:, low]
    with np.errstate(divide="ignore", invalid="ignore"):
        share: Numbers = (means - means[:, [low]]) / np.where(gap > 0, gap, np.nan)[:, None]
    return share
