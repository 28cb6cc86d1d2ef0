"""Thin adapter until the real one lands."""

from dataclasses import dataclass

import numpy as np

from tokenrank.metrics.intervals import LEVEL, Numbers, bootstrap_means, holm, wilcoxon_p


@dataclass(frozen=True)
class Compared:
    """Of each pair (pairs,)."""

    difference: Numbers
    low: Numbers
    high: Numbers
    p: Numbers


def compare_means(differences: Numbers, seed: int, resamples: int) -> Compared:
    """Of (samples, pairs)."""
    if len(differences) < 2:
        none = np.full(differences.shape[1], np.nan)
        return Compared(differences.mean(axis=0), none, none, none)
    low, high = np.percentile(bootstrap_means(differences, resamples, seed), LEVEL, axis=0)
    return Compared(differences.mean(axis=0), low, high, holm(wilcoxon_p(differences)))
