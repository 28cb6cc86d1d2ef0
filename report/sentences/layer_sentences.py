"""Sentences on the level and on the worst layer of each ranking."""

import pandas as pd

from tokenrank.records.schema import is_bound
from tokenrank.records.tables import Tables
from tokenrank.report.pictures.contestant_style import is_grey
from tokenrank.report.rows.aligned import interval
from tokenrank.report.rows.comparisons import significant
from tokenrank.report.rows.phrases import listed
from tokenrank.report.rows.ranking_rows import by_layer, chance, label, over_prompts, shared, windowed_layers
from tokenrank.report.rows.worst_layers import worst_layers
from tokenrank.report.sentences.parts import Place

LEFT_OUT = (
    "Means over layers and worst layers leave out the layers with a sliding window: most tokens are out of their reach."
)
CHOSEN = "These layers were chosen by their result, so their distance from the mean is exploratory."
SPELT = 4  # methods that are named with their numbers; the table has the others


def level_sentences(tables: Tables, metric: str, k: float) -> list[str]:
    """Means over layers with their intervals, the best methods first, then the controls; and which methods are below a control."""
    means = over_prompts(tables.summary, metric, "mean", k)
    means = means.assign(value=means["value"].astype(float)).sort_values("value", ascending=False, kind="stable")
    each = {
        str(name): f"{name} {row['value']:.3f}"
        + ("" if pd.isna(row["low"]) else f" {interval(row['low'], row['high'])}")
        for name, row in means.iterrows()
        if not is_bound(str(name))
    }
    own, beside = [each[name] for name in each if not is_grey(name)], [each[name] for name in each if is_grey(name)]
    named = label(tables.metrics, metric, k)
    said = [*([_first_of(own, ", ")] if own else []), *([f"controls: {', '.join(beside)}"] if beside else [])]
    by_chance = chance(tables.metrics, metric, k)
    if pd.notna(by_chance):
        said.append(f"a random ranking reaches {by_chance:.3f} in expectation")
    total, counted = len(tables.samples), int(means["prompts"].max()) if means["prompts"].notna().any() else 0
    over = "prompts" if counted in (0, total) else f"the {counted} of {total} prompts that have it"
    begin = f"{named}, mean over layers and {over} (95 % interval of each one alone): "
    below = _below_controls(means.loc[list(each), "value"], named)
    return [f"{begin}{'; '.join(said)}.", *([below] if below else [])]


def _first_of(parts: list[str], between: str) -> str:
    more = len(parts) - SPELT
    if more <= 1:  # a line for one more is as long as that one
        return between.join(parts)
    return f"{between.join(parts[:SPELT])}{between}{more} more in the table"


def _below_controls(means: "pd.Series[float]", named: str) -> str:
    """Methods with a lower mean than a control, each beside the lowest such control; empty if there is none."""
    controls = [str(name) for name in means.index if is_grey(str(name))]
    groups: dict[str, list[str]] = {}
    for name, value in means.items():
        above = [each for each in controls if means[each] > value]
        if above and not is_grey(str(name)):
            groups.setdefault(above[-1], []).append(str(name))
    if not groups:
        return ""
    each = [f"{listed(groups[name])} below {name} ({means[name]:.3f})" for name in controls if name in groups]
    return f"Methods below a control in the mean of {named}: {'; '.join(each)}. These differences were not tested."


def worst_layer_sentences(tables: Tables, metric: str, k: float) -> tuple[list[str], Place | None]:
    """The method that falls deepest, the worst layers of the next ones, and methods without one; bounds and controls are left out.

    Returns:
        The sentences, and the deepest fall on the prompt where it is deepest; none and None where no method falls.
    """
    rows = tables.of_metric(metric, k)
    if not len(shared(rows)):
        return [], None
    values = by_layer(rows, metric, k)
    means = values.groupby(level="heuristic", sort=False).mean()
    windowed = [layer for layer in windowed_layers(rows) if layer in means]
    found = worst_layers(means, windowed)
    own = [str(name) for name in found.index if not (is_bound(str(name)) or is_grey(str(name)))]
    found = found.loc[own].sort_values("drop", ascending=False, kind="stable")
    flat = [str(name) for name in found.index[found["flat"]]]
    found = found[~found["flat"]]
    named = label(tables.metrics, metric, k)
    same = [f"{named} is the same at all layers for {listed(flat)}."] if flat and not found.empty else []
    if found.empty:
        return [], None
    each = [f"{name} at {_worst(row)}" for name, row in found.iterrows()]
    deepest, layer = str(found.index[0]), int(found["layer"].iloc[0])
    place = Place(deepest, layer, str(values.xs(deepest)[layer].idxmin()), metric, k)
    said = [f"The deepest fall below its own mean in {named} is that of {each[0]}."]
    if each[1:]:
        said.append(f"The worst layers of the others in {named}: {_first_of(each[1:], '; ')}.")
    return [*said, *same, *([LEFT_OUT] if 0 < len(windowed) < means.shape[1] else []), CHOSEN], place


def _worst(row: "pd.Series[float]") -> str:
    near = "" if pd.isna(row["near"]) else f"; next is layer {row['near']:.0f} with {row['near_value']:.3f}"
    return f"layer {row['layer']:.0f}, {row['value']:.3f} ({row['drop']:.3f} below its mean over layers{near})"


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
    found = significant(rows)
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
