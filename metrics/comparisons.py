"""Tests of differences between means over prompts, corrected for their number, with intervals that agree with them."""

from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple

import numpy as np

from tokenrank.metrics.intervals import MISSED, Numbers

ENUMERATED = 13  # samples up to which all sign flips are tried: 8,192 at most
BLOCK = 1000  # sign flips held at a time
TIE = 1e-9  # relative; statistics closer than this are equal but for rounding


class Compared(NamedTuple):
    """Differences of one family, (pairs,) each."""

    difference: Numbers  # mean over samples
    low: Numbers  # ends of the simultaneous 95 % interval; NaN where there is none
    high: Numbers
    p: Numbers  # two-sided, adjusted for the family


def least_p(samples: int) -> float:
    """The smallest p that ``compare_means`` can give: 2 of the 2 ** samples sign flips are as extreme as a difference without exception.

    >>> [least_p(samples) for samples in (5, 6)]
    [0.0625, 0.03125]
    """
    return min(1.0, 2.0 ** (1 - samples))


def compare_means(differences: Numbers, seed: int, resamples: int) -> Compared:
    r"""Whether the mean of each column of paired differences is 0: sign-flip permutation test of Student's t, maximum over the columns.

    Without a difference the sign of a prompt's differences is arbitrary. So the signs of whole prompts are flipped, in all
    columns alike, and the largest \|t\| of any column is noted. p is the share of flips whose largest \|t\| reaches the column's own:
    the probability of a false finding anywhere in the family is controlled. The interval is the mean +- the 95 % quantile of the
    largest \|t\| times the standard error, and so excludes 0 exactly where p <= 0.05.

    All flips are tried for up to 13 samples; beyond, ``resamples`` random ones and the unflipped differences.

    Args:
        differences: (samples, pairs), finite.
        seed: of the random flips.
        resamples: number of random flips, at least 1.

    Returns:
        Differences, ends and p. There is no interval where every difference is 0 (p is 1), nor where no p can reach 0.05, as with five
        samples or fewer.

    Raises:
        ValueError: the shape is another, there is no sample or no resample, or a difference is not finite.

    Source: Westfall & Young 1993 (maximum of the statistics); Romano & Wolf 2005, https://doi.org/10.1198/016214504000000539.
    """
    if differences.ndim != 2 or len(differences) < 1 or not np.isfinite(differences).all():
        raise ValueError(f"differences have the shape {differences.shape}, must be (samples, pairs), all finite")
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}, must be at least 1")
    samples = len(differences)
    mean = differences.mean(axis=0)
    length = np.sqrt((differences**2).sum(axis=0))
    unit = differences / np.where(length > 0, length, 1)
    largest = _largest(unit, seed, resamples)
    own = np.abs(unit.sum(axis=0)) * (1 - TIE)
    p = (len(largest) - np.searchsorted(largest, own)) / len(largest)
    place = len(largest) - 1 - int(MISSED * len(largest) * (1 + TIE))
    limit = largest[place] / (1 - TIE)
    half = _student(limit, samples) * _standard_error(differences, mean)
    half[length == 0] = np.nan
    return Compared(mean, mean - half, mean + half, p)


def _largest(unit: Numbers, seed: int, resamples: int) -> Numbers:
    """(flips,) ascending: the largest absolute sum of any column of ``unit`` (samples, pairs) when signs of samples are flipped.

    Columns have the length 1, so the sum grows with Student's t and is its stand-in. Where all flips are tried, the first sample
    keeps its sign: the opposite flips have the same absolute sums.
    """
    samples = len(unit)
    if samples <= ENUMERATED:
        bits = np.arange(2 ** (samples - 1))[:, None] >> np.arange(samples) & 1
        blocks: Iterable[Numbers] = [1.0 - 2.0 * bits]
    else:
        draw = np.random.default_rng(seed)
        sizes = [min(BLOCK, resamples - start) for start in range(0, resamples, BLOCK)]
        blocks = chain([np.ones((1, samples))], (_random_signs(draw, size, samples) for size in sizes))
    return np.sort(np.concatenate([np.abs(block @ unit).max(axis=1, initial=0) for block in blocks]))


def _random_signs(draw: np.random.Generator, flips: int, samples: int) -> Numbers:
    """(flips, samples) of 1 and -1."""
    packed = draw.integers(0, 256, (flips, -(-samples // 8)), dtype=np.uint8)
    return 1.0 - 2.0 * np.unpackbits(packed, axis=1, count=samples)


def _student(limit: float, samples: int) -> float:
    """Student's t of a column whose sum, with length 1, is ``limit``; NaN where that is the largest possible sum."""
    rest = samples - limit**2
    return float(limit * np.sqrt((samples - 1) / rest)) if rest > TIE * samples else np.nan


def _standard_error(differences: Numbers, mean: Numbers) -> Numbers:
    samples = len(differences)
    found: Numbers = np.sqrt(((differences - mean) ** 2).sum(axis=0) / max(samples - 1, 1) / samples)
    return found
