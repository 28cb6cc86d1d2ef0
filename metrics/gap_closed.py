"""Gap closed: the share of the distance from a control to the bound that a method covers."""

import numpy as np

from tokenrank.metrics.intervals import LEVEL, Numbers, bootstrap_means


def gap_closed(values: Numbers, low: int, high: int, seed: int, resamples: int) -> tuple[Numbers, Numbers, Numbers]:
    """(mean of a column - mean of ``low``) / (mean of ``high`` - mean of ``low``), with its bootstrap 95 % interval.

    1: as good as ``high``; 0: no better than ``low``. Values below 0 and above 1 are possible. Each resample takes the same
    samples for all columns.

    Args:
        values: (samples, columns), a column per method.
        low: index of the control's column (random).
        high: index of the bound's column (the oracle).
        seed: of the bootstrap.
        resamples: number of bootstrap resamples.

    Returns:
        Share, lower end and upper end, (columns,) each. All are NaN unless ``high`` beats ``low``; the ends alone are NaN
        for a single sample, or if ``high`` does not beat ``low`` in more than 2.5 % of the resamples.

    >>> share, _, _ = gap_closed(np.array([[0.2, 0.5, 0.8], [0.2, 0.5, 0.8]]), low=0, high=2, seed=0, resamples=10)
    >>> share.round(3).tolist()
    [0.0, 0.5, 1.0]
    """
    share = _share(values.mean(axis=0, keepdims=True), low, high)[0]
    ends = np.full((2, values.shape[1]), np.nan)
    if len(values) > 1 and np.isfinite(share).any():
        shares = _share(bootstrap_means(values, resamples, seed), low, high)
        if np.isnan(shares).any(axis=1).mean() <= 1 - LEVEL[1] / 100:
            ends = np.nanpercentile(shares, LEVEL, axis=0)
    return share, ends[0], ends[1]


def _share(means: Numbers, low: int, high: int) -> Numbers:
    """(rows, columns): the share of the gap, NaN in rows without a gap."""
    gap = means[:, high] - means[:, low]
    with np.errstate(divide="ignore", invalid="ignore"):
        share: Numbers = (means - means[:, [low]]) / np.where(gap > 0, gap, np.nan)[:, None]
    return share
