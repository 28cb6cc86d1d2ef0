"""The comparisons that a run was made for, and the difference that their test can find."""

from statistics import NormalDist

import pandas as pd

from tokenrank.records.schema import contestant_names
from tokenrank.records.tables import Tables
from tokenrank.report.rows.comparisons import LEVEL

NORMAL, POWER = NormalDist(), 0.8


def family_of(tables: Tables) -> pd.DataFrame:
    """Rows of the comparisons that the run was made for, with the names of both: columns ``contestant`` and ``against``.

    They are declared ones, or, with ``plots.truth`` of another truth than the first, the same pairs against that truth.

    Args:
        tables: of the run.
    """
    rows = tables.compared()
    return rows.assign(contestant=contestant_names(rows))


def is_exploratory(rows: pd.DataFrame) -> bool:
    """Whether rows of ``family_of`` are against another truth than the one that they were declared against."""
    return bool(rows["exploratory"].fillna(value=False).any())


def undeclared(tables: Tables) -> str:
    """``against ablation (the declared one is against attention)``."""
    return f"against {tables.other_truth} (the declared one is against {tables.first_truth})"


def detectable(family: pd.DataFrame) -> "pd.Series[float]":
    """The true difference of each pair that the family's test finds with power 0.8, about: (c + 0.84) / c half-widths of its interval.

    With normal means, standard error s and critical value c the interval is 2 c s wide, and a true difference of (c + 0.84) s is
    found in 80 % of the experiments. The intervals in summary.parquet are simultaneous: c is that of the largest of all pairs. It is not in
    the table, so Bonferroni's is taken, the normal quantile of 1 - 0.05 / (2 pairs): 1.96 for one pair (1.43
    half-widths), 2.64 for 6 (1.32), 3.26 for 45 (1.26). The factor hardly depends on it. Assumed are an interval that is about symmetric, and
    that another sample has the same spread.

    Args:
        family: all comparisons of one family, as in summary.parquet.

    Returns:
        In units of the metric, at least 0; NaN where a row has no interval.
    """
    half: pd.Series[float] = (family["high"].astype(float) - family["low"].astype(float)) / 2
    critical = NORMAL.inv_cdf(1 - LEVEL / (2 * max(len(family), 1)))
    return half * (critical + NORMAL.inv_cdf(POWER)) / critical
