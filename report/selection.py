"""Picks out of metrics.parquet what one figure or table shows."""

import pandas as pd


def metric_names(table: pd.DataFrame) -> list[str]:
    """The metrics that have a value of a heuristic, without their summaries, in the order of the table.

    Where a single layer was ranked, jaccard has none: only its chance level is in the table.
    """
    return [name for name in table.loc[table["heuristic"].notna(), "metric"].unique() if "." not in name]


def at(table: pd.DataFrame, metric: str, k: float) -> pd.DataFrame:
    """Rows of one metric (or summary) of single samples, at ``k`` percent if it has a k."""
    of_samples = table["sample"].notna() & (table["metric"] == metric)
    return table[of_samples & (table["k"].isna() | (table["k"] == k))]


def label(table: pd.DataFrame, metric: str, k: float) -> str:
    """``recall@10`` or ``spearman``."""
    has_k = table.loc[table["metric"] == metric, "k"].notna().any()
    return f"{metric}@{k:g}" if has_k else metric


def by_layer(table: pd.DataFrame, metric: str, k: float) -> pd.DataFrame:
    """One value a sample and layer: index (heuristic, sample), columns layers; heuristics as they stand in the table."""
    rows = at(table, metric, k).dropna(subset=["layer"])
    wide = rows.pivot(index=["heuristic", "sample"], columns="layer", values="value")
    return wide.reindex(rows["heuristic"].unique(), level="heuristic")


def chance(table: pd.DataFrame, metric: str, k: float) -> float:
    """What a random ranking scores in expectation, mean over samples."""
    rows = at(table, metric, k)
    return float(rows.loc[rows["heuristic"].isna(), "value"].mean())


def windowed_layers(table: pd.DataFrame) -> list[int]:
    """Numbers of the layers with a sliding window; none for a table that does not say."""
    if "windowed" not in table:
        return []
    return sorted({int(layer) for layer in table.loc[table["windowed"].fillna(False).astype(bool), "layer"]})
