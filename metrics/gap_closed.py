"""Gap closed: the share of the distance from a control to the bound that a method covers."""

import numpy as np
from scipy.stats import t

from tokenrank.metrics.intervals import LEAST_SAMPLES, MISSED, Numbers


def gap_closed(values: Numbers, low: int, high: int) -> tuple[Numbers, Numbers, Numbers]:
    """(mean of a column - mean of ``low``) / (mean of ``high`` - mean of ``low``), with Fieller's 95 % interval.

    1: as good as ``high``; 0: no better than ``low``. Values below 0 and above 1 are possible. The interval holds every share
    for which Student's t does not reject that the mean of (column - low) - share * (high - low) over samples is 0.

    Args:
        values: (samples, columns), a column per method.
        low: index of the control's column (random).
        high: index of the bound's column (the oracle).

    Returns:
        Share, lower end and upper end, (columns,) each. All are NaN unless ``high`` beats ``low``; from three samples on unless Student's
        t shows it: a share of a distance that may be 0 says nothing. The ends alone are NaN below three samples, and for a column without
        any variation around its share, such as one that equals ``high`` in every sample; ``high`` is 1 and ``low`` 0 by definition, and
        these are their ends.

    Source: Fieller 1954, https://doi.org/10.1111/j.2517-6161.1954.tb00159.x.

    >>> share, _, _ = gap_closed(np.array([[0.2, 0.5, 0.8], [0.2, 0.5, 0.8]]), low=0, high=2)
    >>> share.round(3).tolist()
    [0.0, 0.5, 1.0]
    """
    samples = len(values)
    above, gap = values - values[:, [low]], values[:, high] - values[:, low]
    share = np.full(values.shape[1], np.nan)
    ends = np.full((2, values.shape[1]), np.nan)
    if gap.mean() > 0 and (samples < LEAST_SAMPLES or _shown(gap)):
        share = above.mean(axis=0) / gap.mean()
        if samples >= LEAST_SAMPLES:
            ends = _fieller(above, gap, share)
            ends[:, low], ends[:, high] = 0, 1
    return share, ends[0], ends[1]


def _fieller(above: Numbers, gap: Numbers, share: Numbers) -> Numbers:
    """(2, columns): the roots of (mean of rest)^2 = t^2 * variance of that mean, where rest = above - root * gap."""
    samples = len(gap)
    factor = _factor(samples)
    spread = gap - gap.mean()
    rest = above - np.outer(gap, share)  # its mean is 0
    squares, products = (rest**2).sum(axis=0), rest.T @ spread
    curve = gap.mean() ** 2 - factor * (spread**2).sum()  # above 0, as the gap is shown
    # with root = share + move: curve * move^2 + 2 * factor * products * move - factor * squares = 0
    half = np.sqrt((factor * products) ** 2 + curve * factor * squares)
    ends: Numbers = share + np.stack([-factor * products - half, -factor * products + half]) / curve
    ends[:, np.sqrt(squares / samples) < 1e-12 * np.abs(gap).max()] = np.nan
    return ends


def _shown(gap: Numbers) -> bool:
    """Whether Student's t shows that the mean of the gap is not 0."""
    return bool(gap.mean() ** 2 > _factor(len(gap)) * ((gap - gap.mean()) ** 2).sum())


def _factor(samples: int) -> float:
    """t^2 / (samples * (samples - 1)), which makes a sum of squares the square of a mean's margin."""
    return float(t.ppf(1 - MISSED / 2, samples - 1) ** 2 / (samples - 1) / samples)
