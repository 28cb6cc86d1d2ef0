"""Tests of differences between means over prompts, corrected for their number, with intervals that agree with them."""

from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple

import numpy as np

from tokenrank.metrics.intervals import MISSED, Numbers

GROUPS = 500  # more samples than this are flipped in so many groups
ENUMERATED = 13  # samples up to which all sign flips are tried: 4,096 at most, as opposite flips give the same
BLOCK = 1000  # sign flips held at a time
TIE = 1e-9  # relative; statistics closer than this are equal but for rounding
NO_SKEW = 1e-6  # skewness / (3 * sqrt(samples)) below which the correction is rounding


class Compared(NamedTuple):
    """Differences of one family, (pairs,) each."""

    difference: Numbers  # mean over samples
    low: Numbers  # ends of the simultaneous 95 % interval; NaN where there is none
    high: Numbers
    p: Numbers  # two-sided, adjusted for the family


def compare_means(differences: Numbers, seed: int, resamples: int) -> Compared:
    r"""Whether the mean of each column of paired differences is 0: sign-flip permutation test, maximum over the columns.

    The statistic is Student's t, corrected for skewness by Hall's transformation. If two methods are exchangeable, the sign of each
    prompt's difference is arbitrary. So the signs of whole prompts are flipped, in all columns alike, and the largest absolute
    statistic of any column is noted. p is the share of flips whose largest statistic reaches the column's own: the
    probability of any false finding in the family is controlled. The interval holds every mean that the same critical value
    does not reject, and so excludes 0 exactly where p <= 0.05.

    All flips are tried for up to 13 samples; beyond, ``resamples`` random ones and the unflipped differences. More than 500 samples
    are flipped in 500 groups of neighbours, which is as valid and faster.

    Args:
        differences: (samples, pairs), finite.
        seed: of the random flips.
        resamples: number of random flips, at least 1.

    Returns:
        Differences, ends and p. There is no interval where every difference is 0 (p is 1), nor where no p can reach 0.05, as with five
        samples or fewer. Differences that are all equal, and not 0, have that value as both ends.

    Raises:
        ValueError: the shape is another, there is no sample or no resample, or a difference is not finite.

    Source: Westfall & Young 1993 (maximum of the statistics); Romano & Wolf 2005, https://doi.org/10.1198/016214504000000539;
        Hall 1992 (skewness), https://doi.org/10.1111/j.2517-6161.1992.tb01876.x.
    """
    if differences.ndim != 2 or len(differences) < 1 or not np.isfinite(differences).all():
        raise ValueError(f"differences have the shape {differences.shape}, must be (samples, pairs), all finite")
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}, must be at least 1")
    length = np.sqrt((differences**2).sum(axis=0))
    unit = differences / np.where(length > 0, length, 1)  # so that rounding is relative
    sums = _grouped(unit)
    flips = (np.abs(_statistics(signs, sums)).max(axis=1, initial=0) for signs in _signs(sums.groups, seed, resamples))
    largest = np.sort(np.concatenate(list(flips)))
    unflipped = np.ones((1, sums.groups))
    own = np.abs(_statistics(unflipped, sums)[0])
    p = (len(largest) - np.searchsorted(largest, own * (1 - TIE))) / len(largest)
    beyond = int(MISSED * len(largest) * (1 + TIE))  # flips that may be larger than the critical value
    critical = largest[len(largest) - 1 - beyond] / (1 - TIE) if beyond else np.inf
    ends = _ends(_moments(unflipped, sums), critical) * length
    ends[:, length == 0] = np.nan
    return Compared(differences.mean(axis=0), ends[0], ends[1], p)


class _Sums(NamedTuple):
    """Differences of unit length and their cubes, summed over the samples whose signs are flipped together."""

    samples: int
    groups: int
    plain: Numbers  # (groups, pairs)
    cubes: Numbers  # (groups, pairs)


class _Moments(NamedTuple):
    """Of each column under each flip, (flips, pairs)."""

    mean: Numbers
    error: Numbers  # standard error of the mean
    bend: Numbers  # skewness / (3 * sqrt(samples))


def _grouped(unit: Numbers) -> _Sums:
    samples = len(unit)
    groups = min(samples, GROUPS)
    starts = np.arange(groups) * samples // groups
    return _Sums(samples, groups, np.add.reduceat(unit, starts), np.add.reduceat(unit * unit * unit, starts))


def _signs(samples: int, seed: int, resamples: int) -> Iterable[Numbers]:
    """Sign flips in blocks, (flips, samples) of 1 and -1; the first flips nothing.

    Where all are tried, the first sample keeps its sign: the opposite flips have the same absolute statistics.
    """
    if samples <= ENUMERATED:
        bits = np.arange(2 ** (samples - 1))[:, None] >> np.arange(samples) & 1
        return [np.where(bits == 1, -1.0, 1.0)]
    draw = np.random.default_rng(seed)
    sizes = [min(BLOCK, resamples - start) for start in range(0, resamples, BLOCK)]
    return chain([np.ones((1, samples))], (_random_signs(draw, size, samples) for size in sizes))


def _random_signs(draw: np.random.Generator, flips: int, samples: int) -> Numbers:
    packed = draw.integers(0, 256, (flips, -(-samples // 8)), dtype=np.uint8)
    return np.where(np.unpackbits(packed, axis=1, count=samples) == 1, 1.0, -1.0)


def _statistics(signs: Numbers, sums: _Sums) -> Numbers:
    """(flips, pairs): t, transformed for skewness; 0 for a column of zeros, infinite for equal values."""
    mean, error, bend = _moments(signs, sums)
    with np.errstate(divide="ignore", invalid="ignore"):
        student = np.where(mean == 0, 0.0, mean / error)
        curved = student + bend * student**2 + bend**2 * student**3 / 3 + bend / 2
    return np.where(bend == 0, student, curved)


def _moments(signs: Numbers, sums: _Sums) -> _Moments:
    samples, square = sums.samples, 1 / sums.samples  # mean of the squares, which no flip changes
    mean = signs @ sums.plain / samples
    variance = square - mean**2
    equal = variance < TIE * square
    third = signs @ sums.cubes / samples - 3 * mean * square + 2 * mean**3
    bend = np.where(equal, 0, third / np.where(equal, 1, variance) ** 1.5 / (3 * np.sqrt(samples)))
    error = np.sqrt(np.where(equal, 0, variance) / max(samples - 1, 1))
    return _Moments(mean, error, np.where(np.abs(bend) < NO_SKEW, 0, bend))


def _ends(of: _Moments, critical: float) -> Numbers:
    """(2, pairs): the means whose statistic is ``critical`` and its opposite; NaN if that is infinite."""
    limit = np.array([[critical], [-critical]])
    bend = np.where(of.bend == 0, 1, of.bend)
    student = np.where(of.bend == 0, limit, (np.cbrt(1 + 3 * bend * (limit - bend / 2)) - 1) / bend)
    found: Numbers = of.mean - student * of.error if np.isfinite(critical) else np.full(student.shape, np.nan)
    return found
