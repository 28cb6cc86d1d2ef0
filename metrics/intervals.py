"""Confidence intervals and significance tests for means over prompts."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wilcoxon

Numbers = NDArray[np.float64]

LEVEL = (2.5, 97.5)  # percentiles of the bootstrap: the ends of a 95 % interval
BLOCK = 500  # resamples held at a time


def bootstrap_means(values: Numbers, resamples: int, seed: int) -> Numbers:
    """Means of bootstrap resamples (drawn with replacement); every column has the same draws, so that columns stay paired.

    Args:
        values: (samples, columns), at least two samples.
        resamples: number of resamples, at least 1.
        seed: of the draws.

    Returns:
        (resamples, columns).

    Raises:
        ValueError: fewer than two samples, or no resample.

    Source: Efron 1979, https://doi.org/10.1214/aos/1176344552.
    """
    samples = len(values)
    if samples < 2 or resamples < 1:
        raise ValueError(f"{samples} samples, {resamples} resamples: must be at least 2 and 1")
    draw = np.random.default_rng(seed)
    blocks = [min(BLOCK, resamples - start) for start in range(0, resamples, BLOCK)]
    return np.concatenate(
        [draw.multinomial(samples, np.full(samples, 1 / samples), size) @ values / samples for size in blocks]
    )


def wilcoxon_p(differences: Numbers) -> Numbers:
    """Two-sided p value of Wilcoxon's signed-rank test, one per column; 1 if no sample differs from 0.

    It is the normal approximation, at every number of samples, with scipy's handling of ties and zeros.

    Args:
        differences: (samples, columns).

    Returns:
        (columns,) in [0, 1].

    Source: Wilcoxon 1945, https://doi.org/10.2307/3001968.
    """
    p = np.ones(differences.shape[1])
    for column in np.flatnonzero((differences != 0).any(axis=0)):
        p[column] = wilcoxon(differences[:, column], method="asymptotic").pvalue  # type: ignore[call-overload]
    return p


def holm(p: Numbers) -> Numbers:
    """Holm's step-down correction for several tests: p values that may each be compared with the level of a single test.

    Source: Holm 1979, https://www.jstor.org/stable/4615733.

    >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(stepped, 1)
    return corrected


def mean_intervals(values: Numbers) -> Numbers:
    """Thin adapter until the real one lands: (2, columns)."""
    if len(values) < 3:
        return np.full((2, values.shape[1]), np.nan)
    means = bootstrap_means(values, 1000, 0)
    return np.percentile(means, LEVEL, axis=0)
