"""How far rankings and truths agree: one value for each ranking and each truth that it is measured against."""

import pandas as pd

from tokenrank.records.schema import ORACLE, WHICH_TRUTH
from tokenrank.records.tables import Tables
from tokenrank.report.rows.ranking_rows import at


def agreement(tables: Tables, metric: str, k: float) -> pd.DataFrame | None:
    """Means over layers and prompts, (rankings, truths); rankings that are truths are called as these, and stand first.

    Args:
        tables: of a run of evaluation=ranking.
        metric: that compares with a truth.
        k: percent, of a metric that has one.

    Returns:
        None where the run has fewer than two truths, or the metric compares with none.
    """
    rows = at(tables.means_against_all(), metric, k).dropna(subset=["truth"])
    truths = [str(name) for name in rows["truth"].unique()]
    if len(truths) < 2:
        return None
    named = rows.assign(heuristic=[truth_of(name, tables.first_truth or truths[0]) for name in rows["heuristic"]])
    wide = named.pivot(index="heuristic", columns="truth", values="value")
    others = [name for name in named["heuristic"].unique() if name not in truths]
    return wide.reindex(index=[*(name for name in truths if name in wide.index), *others], columns=truths)


def truth_of(heuristic: str, first: str) -> str:
    """The truth whose ranking it is, or the heuristic itself.

    >>> [truth_of(name, "attention") for name in ("oracle", "oracle:ablation", "claa")]
    ['attention', 'ablation', 'claa']
    """
    name, _, truth = heuristic.partition(WHICH_TRUTH)
    return (truth or first) if name == ORACLE else heuristic
