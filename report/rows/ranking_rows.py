"""Selects from the tables of evaluation=ranking what one figure or table shows."""

import pandas as pd

from tokenrank.records.tables import Tables
from tokenrank.report.rows.contestant_rows import measured_on
from tokenrank.report.rows.universe import is_context

AGAINST = "_against_"  # in names of pictures, before that of another truth than the first
ATTENTION = "attention"  # the truth of the paper, which titles need not name


def ranked_metrics(tables: Tables) -> list[str]:
    """The metrics that have a value of a heuristic, in the order of the table.

    Where a single layer was ranked, jaccard has none: only its chance level is in the tables.
    """
    rows = tables.summary
    return [str(name) for name in rows.loc[rows["sample"].notna() & rows["heuristic"].notna(), "metric"].unique()]


def ranked_measures(tables: Tables) -> list[tuple[str, float | None]]:
    """Every metric of ``ranked_metrics`` with each of its k in percent, ascending; None of a metric without k."""
    rows = tables.summary[tables.summary["heuristic"].notna()]
    found: list[tuple[str, float | None]] = []
    for metric in ranked_metrics(tables):
        percents = sorted({float(k) for k in rows.loc[rows["metric"] == metric, "k"].dropna()})
        found += [(metric, k) for k in percents] or [(metric, None)]
    return found


def at(table: pd.DataFrame, metric: str, k: float) -> pd.DataFrame:
    """Rows of one metric, at ``k`` percent if it has a k."""
    return table[(table["metric"] == metric) & (table["k"].isna() | (table["k"] == k))]


def over_layers(summary: pd.DataFrame, metric: str, statistic: str, k: float, windowed: bool = False) -> pd.DataFrame:
    """Rows of single prompts that hold a statistic over their layers, of one metric at ``k`` percent if it has a k.

    Args:
        summary: as in summary.parquet.
        metric: its name.
        statistic: ``mean``, ``worst``, ...
        k: percent.
        windowed: True: over windowed layers, where the model has others too.
    """
    rows = at(summary, metric, k)
    own = rows["windowed"].fillna(False).astype(bool) == windowed
    return rows[own & rows["sample"].notna() & (rows["statistic"] == statistic)]


def over_prompts(summary: pd.DataFrame, metric: str, statistic: str, k: float) -> pd.DataFrame:
    """The means over prompts of what ``over_layers`` selects, with their intervals; index heuristics."""
    rows = at(summary, metric, k)
    own = rows["task"].isna() & rows["sample"].isna() & rows["against"].isna() & rows["other_layer"].isna()
    own &= ~rows["windowed"].fillna(False).astype(bool) & (rows["statistic"] == statistic)
    return rows[own].set_index("heuristic")


def shared(rows: pd.DataFrame) -> "pd.Series[str]":
    """The prompts of which every heuristic in these rows has a value, as means in summary.parquet are over; those that have none at all do not count."""
    each = rows.dropna(subset=["value", "heuristic"])[["sample", "heuristic"]].drop_duplicates()
    counts = each["sample"].value_counts(sort=False)
    return counts.index[counts == each["heuristic"].nunique()].to_series()


def label(metrics: pd.DataFrame, metric: str, k: float) -> str:
    """``recall@10`` or ``spearman``."""
    has_k = metrics.loc[metrics["metric"] == metric, "k"].notna().any()
    return f"{metric}@{k:g}" if has_k else metric


def by_layer(metrics: pd.DataFrame, metric: str, k: float) -> pd.DataFrame:
    """One value a prompt and layer: index (heuristic, sample), columns layers; heuristics in the order of the table.

    Only prompts of which every heuristic has a value, so that all means are over the same prompts.

    Raises:
        ValueError: there is none.
    """
    rows = at(metrics, metric, k).dropna(subset=["layer"])
    wide = rows.pivot(index=["heuristic", "sample"], columns="layer", values="value")
    wide = wide[wide.index.get_level_values("sample").isin(shared(rows))]
    if wide.empty:
        raise ValueError("no prompt was ranked by every heuristic")
    return wide.reindex(rows["heuristic"].unique(), level="heuristic")


def chance(metrics: pd.DataFrame, metric: str, k: float) -> float:
    """Expected value of a random ranking, mean over prompts; NaN where it is not known."""
    rows = at(metrics, metric, k)
    return float(rows.loc[rows["heuristic"].isna(), "value"].mean())


def windowed_layers(metrics: pd.DataFrame) -> list[int]:
    """Numbers of the layers with a sliding window."""
    return sorted({int(layer) for layer in metrics.loc[metrics["windowed"].fillna(False).astype(bool), "layer"]})


def needs_truth(tables: Tables, metric: str) -> bool:
    """Whether values of a metric are against a truth."""
    rows = tables.summary
    return bool(rows.loc[rows["metric"] == metric, "truth"].notna().any())


def against(tables: Tables, metric: str | None = None) -> str:
    """``, against ablation``: for titles, where values are against another truth than attention; else empty.

    Args:
        tables: of the run.
        metric: whose values are shown; None: those of all metrics.
    """
    rows = tables.summary if metric is None else tables.summary[tables.summary["metric"] == metric]
    truths = [str(name) for name in rows["truth"].dropna().unique()]
    return f", against {truths[0]}" if len(truths) == 1 and truths != [ATTENTION] else ""


def picture_name(tables: Tables, metric: str, name: str) -> str:
    """``recall_at_10``, or ``recall_at_10_against_ablation`` of another truth than the first, so that its pictures have names of their own.

    Args:
        tables: of the run.
        metric: that is drawn.
        name: of the metric and its k in file names.
    """
    apart = tables.other_truth is not None and needs_truth(tables, metric)
    return f"{name}{AGAINST}{tables.other_truth}" if apart else name


def heading(tables: Tables, prompts: int, k: float | None = None, metric: str | None = None) -> str:
    """``llama3 on niah, n = 24 prompts, k = 10 %``: the second line of a title.

    Args:
        tables: of the run, for the names of model and task, and what was ranked.
        prompts: that the picture is over; how many there are is said where these are fewer.
        k: percent; None for a metric without one.
        metric: that is shown, whose truth is said; None: it needs none, or is shown against all of them.
    """
    every = len(tables.metrics[["task", "sample"]].dropna().drop_duplicates())
    some = f"{prompts} of {every}" if every > prompts else str(prompts)
    share = "" if k is None else f", k = {k:g} %"
    ranked = ", context alone" if is_context(tables.samples) else ""
    truth = "" if metric is None else against(tables, metric)
    some_prompts = f", {tables.chosen}" if tables.chosen else ""
    return f"{measured_on(tables.metrics)}{ranked}{truth}{some_prompts}, n = {some} prompt{'s' * (some != '1')}{share}"
