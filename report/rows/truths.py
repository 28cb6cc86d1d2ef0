"""How far rankings and truths agree: one value for each ranking and each truth that it is measured against."""

from dataclasses import dataclass

import pandas as pd

from tokenrank.records.schema import ORACLE, WHICH_TRUTH
from tokenrank.records.tables import Tables
from tokenrank.report.rows.ranking_rows import at


@dataclass(frozen=True)
class Agreement:
    """One value for each ranking (index) and each truth (columns); rankings that are truths are called as these, and stand first."""

    values: pd.DataFrame  # means over layers and prompts
    prompts: pd.DataFrame  # over how many prompts each mean is; NaN where there is none


def agreement(tables: Tables, metric: str, k: float) -> Agreement | None:
    """Means over layers and prompts of every ranking against every truth, with their numbers of prompts.

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
    known = list(dict.fromkeys(map(str, named["heuristic"])))
    order = [*(name for name in truths if name in known), *(name for name in known if name not in truths)]
    values, prompts = (
        named.pivot(index="heuristic", columns="truth", values=column).reindex(index=order, columns=truths)
        for column in ("value", "prompts")
    )
    return Agreement(values, prompts.astype(float))


def truth_of(heuristic: str, first: str) -> str:
    """The truth whose ranking it is, or the heuristic itself.

    >>> [truth_of(name, "attention") for name in ("oracle", "oracle:ablation", "claa")]
    ['attention', 'ablation', 'claa']
    """
    name, _, truth = heuristic.partition(WHICH_TRUTH)
    return (truth or first) if name == ORACLE else heuristic
