"""Confidence intervals of means over prompts."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]

MISSED = 0.05  # the share of samples whose interval may miss the mean, both ends together
LEAST_SAMPLES = 3  # with fewer there is no interval
LEAST_RESAMPLED = 5  # with fewer the interval is Student's: 3 or 4 values have too few resamples
RESAMPLES = 1999  # (RESAMPLES + 1) * 0.025 is a whole number
COLUMNS = 250  # columns resampled at a time
SEED = 0
ROUNDING = 1e-12  # a variance below this share of the sample's is rounding


def mean_intervals(values: Numbers, unbounded: Flags | None = None) -> Numbers:
    """95 % intervals of the mean of each column: bootstrap-t, with Wilson's as the limit of values in [0, 1].

    The t statistics of resamples give the quantiles in place of Student's table. Resamples of few samples have too short a tail on the
    side to which the sample is skewed. So, from 10 samples on, the end on that side may miss the mean in 2.5 % * samples / (samples + 8)
    and the other in the rest of 5 %. docs/statistics.md has the coverage.

    - Values in [0, 1], unless they are ``unbounded``: the mean's logit is studentised. No end is farther out than Wilson's, which takes the largest variance
      that a mean of such values allows. A column of only 0 and 1 has Wilson's interval.
    - Other values: each end is the farther one of bootstrap-t and Student's t. A column of equal values has their value as both ends.

    Args:
        values: (samples, columns), finite.
        unbounded: (columns,) whether values of a column may lie outside of [0, 1] even if these do not; None: they do where they can.

    Returns:
        (2, columns): low and high. NaN below three samples, and where the sample sets no limit: values outside of [0, 1], nearly all
        of them equal. The same values give the same ends but for rounding, whatever columns are beside them.

    Raises:
        ValueError: the shape is another, or a value is not finite.

    Source: Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953; Hall 1988 (bootstrap-t),
        https://doi.org/10.1214/aos/1176350933.

    >>> mean_intervals(np.array([[1.0], [0.0], [0.0], [0.0], [0.0]])).round(3).ravel().tolist()
    [0.036, 0.624]
    """
    if values.ndim != 2 or not np.isfinite(values).all():
        raise ValueError(f"values have the shape {values.shape}, must be (samples, columns), all finite")
    samples, columns = values.shape
    ends = np.full((2, columns), np.nan)
    if samples < LEAST_SAMPLES:
        return ends
    weights = _weights(samples) if samples >= LEAST_RESAMPLED else None
    shares = np.ones(columns, dtype=bool) if unbounded is None else ~unbounded
    for start in range(0, columns, COLUMNS):
        block = slice(start, start + COLUMNS)
        ends[:, block] = _of_block(values[:, block].astype(np.float64), shares[block], weights)
    ends[~np.isfinite(ends)] = np.nan
    return ends


@lru_cache(maxsize=2)  # drawing them takes longer than their use for a few columns
def _weights(samples: int) -> Numbers:
    """(RESAMPLES, samples): how often a resample has each sample, over the number of samples; always the same draws."""
    draw = np.random.default_rng(SEED)
    found: Numbers = draw.multinomial(samples, np.full(samples, 1 / samples), RESAMPLES) / samples
    found.flags.writeable = False
    return found


class _Moments(NamedTuple):
    """Of each column, (columns,)."""

    samples: int
    mean: Numbers
    error: Numbers  # standard error of the mean
    skewed_up: Flags  # the longer tail is that of large values


def _of_block(values: Numbers, shares: Flags, weights: Numbers | None) -> Numbers:
    """(2, columns): the ends for a few columns; ``shares``: which are limited to [0, 1]; ``weights`` are (resamples, samples)."""
    mean = values.mean(axis=0)
    centred = values - mean
    error = np.sqrt((centred**2).sum(axis=0) / (len(values) - 1) / len(values))
    equal = (values == values[0]).all(axis=0)
    of = _Moments(len(values), mean, np.where(equal, 0, error), (centred**3).sum(axis=0) > 0)
    within = shares & np.all((values >= 0) & (values <= 1), axis=0)
    binary = shares & np.all((values == 0) | (values == 1), axis=0)
    student = mean + np.outer([-1, 1], of.error) * t.ppf(1 - MISSED / 2, of.samples - 1)
    limits = wilson(mean, of.samples)
    ends = student if weights is None else _bootstrap_t(centred, of, within, weights)
    outside = np.stack([np.minimum(ends[0], student[0]), np.maximum(ends[1], student[1])])
    inside = np.stack([np.maximum(ends[0], limits[0]), np.minimum(ends[1], limits[1])])
    found = np.where(within, inside, outside)
    return np.where(binary, limits, np.where(equal, values[0], found))


def _bootstrap_t(centred: Numbers, of: _Moments, within: Flags, weights: Numbers) -> Numbers:
    """(2, columns): the ends from quantiles of resampled t; of logits where all values are ``within`` [0, 1]."""
    shift = weights @ centred  # resampled mean - mean
    variance = (weights @ centred**2 - shift**2) / (of.samples - 1)
    variance[variance < ROUNDING * of.error**2] = 0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        moved = of.mean + shift
        slope = moved * (1 - moved)
        logits = (np.log(moved / (1 - moved)) - np.log(of.mean / (1 - of.mean))) * slope
        resampled = np.where(within, logits, shift) / np.sqrt(variance)
        resampled = np.where(variance == 0, np.where(shift == 0, 0, np.sign(shift) * np.inf), resampled)
        resampled.sort(axis=0)
        low, high = resampled[_places(of), np.arange(len(of.mean))]
        centre = np.log(of.mean / (1 - of.mean))
        scale = of.error / (of.mean * (1 - of.mean))
        logit_ends = 1 / (1 + np.exp(-np.stack([centre - high * scale, centre - low * scale])))
        ends: Numbers = np.where(within, logit_ends, np.stack([of.mean - high * of.error, of.mean - low * of.error]))
    return ends


def _places(of: _Moments) -> NDArray[np.int64]:
    """(2, columns): places of the low and the high quantile among the sorted resamples."""
    few = of.samples < 10  # a smaller share than 2.5 % would be that of a few resamples of nearly equal values
    long = MISSED / 2 * (1 if few else of.samples / (of.samples + 8))
    low = np.where(of.skewed_up, long, MISSED - long)  # the low quantile makes the high end
    quantiles = np.stack([low, 1 - MISSED + low])
    places: NDArray[np.int64] = np.rint(quantiles * (RESAMPLES + 1)).astype(np.int64) - 1
    return places


def wilson(mean: Numbers, samples: int) -> Numbers:
    """(2, columns): Wilson's 95 % interval of a probability, of which ``mean`` (columns,) is the observed frequency."""
    z2 = norm.ppf(1 - MISSED / 2) ** 2 / samples
    half = np.sqrt(z2 * mean * (1 - mean) + z2**2 / 4, where=(mean >= 0) & (mean <= 1), out=np.full_like(mean, np.nan))
    found: Numbers = np.stack([mean + z2 / 2 - half, mean + z2 / 2 + half]) / (1 + z2)
    return found.clip(0, 1)
