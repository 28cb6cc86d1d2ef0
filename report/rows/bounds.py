"""Bounds that were no bounds: where a contestant is better than the oracle of its own engine by more than noise."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tokenrank.records.measures import REFERENCE, better
from tokenrank.records.schema import contestant_names, is_bound
from tokenrank.records.tables import Tables
from tokenrank.report.rows.aligned import wrapped
from tokenrank.report.rows.contestant_rows import engines_of

MARK = "*"  # behind the name of a bound that was beaten
COLUMNS = ["bound", "by", "keep", "metric"]
WORDS = {
    "logprob": "log-probability", "loss_clipped": "clipped loss", "kl": "KL divergence", "same_token": "share of the same tokens",
    "departure": "tokens before the departure",
}  # fmt: skip


def beaten(tables: Tables, metrics: Sequence[str]) -> pd.DataFrame:
    """A row for each bound, contestant of the same engine, keep rate and measure in which the contestant is better beyond noise.

    That is: the 95 % interval of the mean difference, which summary.parquet has, lies on the contestant's side of 0.

    Args:
        tables: of the run.
        metrics: the measures that count.

    Returns:
        Columns bound, by (the contestant), keep (percent) and metric; in the order of the metrics, else as in the table.
    """
    rows = tables.summary
    rows = rows[
        rows["against"].notna()
        & rows["task"].isna()
        & rows["metric"].isin(list(metrics))
        & (rows["statistic"] == "mean")
    ]
    rows = rows.assign(name=contestant_names(rows)).dropna(subset=["low", "high", "keep", "name"])
    as_bound = pd.Series([is_bound(str(name)) for name in rows["against"]], index=rows.index, dtype=bool)
    turned = pd.Series([is_bound(str(name)) for name in rows["name"]], index=rows.index, dtype=bool)
    engines = engines_of(tables)
    found = [
        {"bound": bound, "by": by, "keep": float(keep), "metric": metric}
        for side, bounds, others, sign in ((as_bound, "against", "name", 1), (turned, "name", "against", -1))
        for bound, by, keep, metric, low, high in rows.loc[
            side, [bounds, others, "keep", "metric", "low", "high"]
        ].itertuples(index=False)
        if not is_bound(by) and engines.get(bound) == engines.get(by) and _all_better(metric, sign * low, sign * high)
    ]
    listed = pd.DataFrame(found, columns=COLUMNS).drop_duplicates()
    order = listed["metric"].map({name: place for place, name in enumerate(metrics)})
    return listed.iloc[np.argsort(order.to_numpy(), kind="stable")].reset_index(drop=True)


def _all_better(metric: str, low: float, high: float) -> bool:
    return better(metric, low) and better(metric, high)


def marked(found: pd.DataFrame) -> set[tuple[str, float]]:
    """Bound and keep rate of the rows that are marked."""
    return set(zip(found["bound"], found["keep"], strict=True))


def beaten_sentences(found: pd.DataFrame) -> str:
    """Who was better than which bound, at which keep rates, in what; empty where nobody was.

    Args:
        found: from ``beaten``.
    """
    if found.empty:
        return ""
    said = []
    for (bound, by), rows in found.groupby(["bound", "by"], sort=False):
        rates = rows.assign(metric=rows["metric"].map(in_words)).groupby("keep")["metric"].agg(", ".join)
        at_rates = " and ".join(f"at {keep:g} % in {metrics}" for keep, metrics in rates.items())
        said.append(f"{bound} by {by} {at_rates}")
    text = (
        f"{MARK} beaten by a contestant of the same engine beyond noise (95 % interval of the difference): {'; '.join(said)}. "
        "The oracle is a hypothesis about what matters."
    )
    return wrapped(text)


def in_words(metric: str) -> str:
    """A measure as sentences call it.

    >>> in_words("reference_loss_clipped"), in_words("accuracy")
    ('clipped loss of the reference answer', 'accuracy')
    """
    own = metric.removeprefix(REFERENCE)
    return WORDS.get(own, own.replace("_", " ")) + (" of the reference answer" if own != metric else "")
