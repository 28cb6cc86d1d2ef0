"""Sentences on the level and on the worst layer of each ranking."""

import pandas as pd

from tokenrank.records.schema import is_bound, is_control
from tokenrank.records.tables import Tables
from tokenrank.report.aligned import interval
from tokenrank.report.differences import listed
from tokenrank.report.ranking_rows import by_layer, chance, label, over_prompts, windowed_layers


def worst_layers(tables: Tables, metric: str, k: float) -> pd.DataFrame:
    """The layer at which each ranking is worst: the lowest of its means over prompts at each layer.

    Args:
        tables: of a run of evaluation=ranking.
        metric: its name.
        k: percent; of metrics that have a k.

    Returns:
        Index heuristics that have a value, in the order of the table; columns ``layer`` (number in the model), ``value`` (the mean over prompts there),
        ``mean`` (over the same layers) and ``drop`` (mean - value). Windowed layers count only where the model has no others.

    Raises:
        ValueError: no prompt was ranked by every heuristic.
    """
    rows = tables.of_metric(metric, k)
    values = by_layer(rows, metric, k)
    windowed = [layer for layer in windowed_layers(rows) if layer in values]
    if len(windowed) < values.shape[1]:
        values = values.drop(columns=windowed)
    means = values.groupby(level="heuristic", sort=False).mean().dropna(axis="columns", how="all").dropna(how="all")
    found = pd.DataFrame({"layer": means.idxmin(axis=1), "value": means.min(axis=1), "mean": means.mean(axis=1)})
    return found.assign(layer=found["layer"].astype(int), drop=found["mean"] - found["value"])


def level_sentence(tables: Tables, metric: str, k: float) -> str:
    """Means over layers with their intervals, best first, and what a random ranking reaches."""
    means = over_prompts(tables.summary, metric, "mean", k)
    means = means.assign(value=means["value"].astype(float)).sort_values("value", ascending=False, kind="stable")
    each = [
        f"{name} {row['value']:.3f}" + ("" if pd.isna(row["low"]) else f" {interval(row['low'], row['high'])}")
        for name, row in means.iterrows()
        if not is_bound(str(name))
    ]
    named = label(tables.metrics, metric, k)
    return f"{named}, mean over layers and prompts (95 % interval): {', '.join(each)}; a random ranking reaches {chance(tables.metrics, metric, k):.3f} in expectation."


def worst_layer_sentences(tables: Tables, metric: str, k: float) -> list[str]:
    """The method that falls deepest, and the worst layers of the others; bounds and controls are left out."""
    found = worst_layers(tables, metric, k)
    named_so = [str(name) for name in found.index if not (is_bound(str(name)) or is_control(str(name)))]
    found = found.loc[named_so]
    found = found[found["drop"] > 0].sort_values("drop", ascending=False, kind="stable")
    if found.empty:
        return []
    named = label(tables.metrics, metric, k)
    each = [
        f"{name} at layer {row['layer']:.0f}, {row['value']:.3f} ({row['drop']:.3f} below its mean over layers)"
        for name, row in found.iterrows()
    ]
    said = [f"The deepest fall in {named} is that of {each[0]}."]
    if each[1:]:
        said.append(f"The worst layers of the others: {'; '.join(each[1:])}.")
    return [*said, "These layers were chosen by their result, so their distance from the mean is exploratory."]


def exploratory_worst(summary: pd.DataFrame, metric: str, k: float) -> str:
    """Which methods differ in the worst layer of each prompt: a family of its own that was not declared; empty if it was not compared."""
    rows = summary[
        summary["against"].notna()
        & summary["task"].isna()
        & (summary["statistic"] == "worst")
        & (summary["metric"] == metric)
        & (summary["k"].isna() | (summary["k"] == k))
        & ~summary["windowed"].fillna(False).astype(bool)
    ]
    if rows["low"].isna().all():  # too few prompts for any interval
        return ""
    found = rows[rows["p"] <= 0.05].sort_values("p", kind="stable")
    pairs = [
        f"{a} above {b} by {abs(value):.3f} (p = {p:.2g})"
        for first, second, value, p in found[["heuristic", "against", "value", "p"]].itertuples(index=False)
        for a, b in [(first, second) if value > 0 else (second, first)]
    ]
    named = label(rows, metric, k)
    shown, more = pairs[:4], len(pairs) - 4
    said = (
        listed(shown) + (f", and {more} more pairs" if more > 0 else "") if pairs else "no pair differs with p <= 0.05"
    )
    return f"Exploratory, in {named} of each prompt's worst layer ({len(rows)} pairs): {said}."
