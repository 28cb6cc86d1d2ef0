"""Sentences on what pruned prefill keeps: results and gap closed at each keep rate, their cost, and bounds that were beaten."""

from collections.abc import Sequence

import pandas as pd

from tokenrank.records.measures import COSTS, better
from tokenrank.records.schema import FULL, is_bound, is_control
from tokenrank.records.tables import Tables
from tokenrank.report.printed.contestant_lines import Line, at
from tokenrank.report.rows.aligned import interval
from tokenrank.report.rows.bounds import beaten
from tokenrank.report.rows.contestant_rows import GAP_CLOSED, contestants, keep_rates, over_all
from tokenrank.report.rows.phrases import listed

Numbers = tuple[
    pd.DataFrame, pd.DataFrame, pd.DataFrame
]  # a statistic and both ends: index contestants, columns keep rates
NAMED = {"flops_ratio": "FLOPs", "kv_ratio": "KV cache"}
MEANT = "Gap closed: the share of the way from the random control (0) to the oracle (1) of the same engine."


def methods(tables: Tables) -> list[str]:
    """The contestants but the full prefill, bounds and controls."""
    return [name for name in contestants(tables) if name != FULL and not is_bound(name) and not is_control(name)]


def result_sentences(tables: Tables, metric: str) -> list[str]:
    """The full prefill's result; for each keep rate the result of every method, best first, and the gap that it closes.

    Args:
        tables: of a run of evaluation=accuracy or evaluation=fidelity.
        metric: its name.
    """
    reached, closed = _numbers(tables, metric, "mean"), _numbers(tables, metric, GAP_CLOSED)
    value, gap, own, said = reached[0], closed[0], methods(tables), []
    whole = (FULL, float(value.columns[0]))
    if FULL in value.index and pd.notna(at(reached[1], whole)):
        said.append(f"{metric} of the full prefill: {_with(reached, whole, 3)}.")
    for keep in keep_rates(tables):
        order = value.loc[own, keep].dropna().sort_values(kind="stable", ascending=not better(metric, 1.0))
        each = [
            f"{name} {_with(reached, (str(name), keep), 3)}"
            + ("" if pd.isna(at(gap, (str(name), keep))) else f", gap closed {_with(closed, (str(name), keep), 2)}")
            for name in order.index
        ]
        if each:
            said.append(f"{metric} at keep rate {keep:g} %: {'; '.join(each)}.")
    return [*said, *_no_gap(tables, metric, gap.loc[own])]


def _numbers(tables: Tables, metric: str, statistic: str) -> Numbers:
    value, low, high = (over_all(tables, metric, each, statistic) for each in ("value", "low", "high"))
    return value, low, high


def _with(numbers: Numbers, line: Line, digits: int) -> str:
    """The number, and its interval where it has one."""
    value, low, high = (at(each, line) for each in numbers)
    return f"{value:.{digits}f}" + ("" if pd.isna(low) or pd.isna(high) else f" {interval(low, high, digits)}")


def _no_gap(tables: Tables, metric: str, closed: pd.DataFrame) -> list[str]:
    """Where an engine's oracle is not shown to be better than its random control."""
    if closed.isna().all(axis=None) and not any(is_bound(name) for name in contestants(tables)):
        return []
    places = [
        f"at {keep:g} % that of {listed([str(name) for name in closed.index[closed[keep].isna()]])}"
        for keep in closed
        if closed[keep].isna().any()
    ]
    if not places:
        return []
    return [
        f"No gap in {metric} to close, as the oracle is not shown to be better than random with the engine: {'; '.join(places)}."
    ]


def bound_sentence(tables: Tables, metrics: Sequence[str]) -> str:
    """Which oracles were beaten beyond noise, or that none was; empty where the run has no comparison with a bound."""
    rows = tables.summary
    compared = rows[rows["against"].notna() & rows["task"].isna() & rows["metric"].isin(list(metrics))]
    bounds = compared["against"].astype(str).map(is_bound).astype(bool)
    if compared.loc[bounds, "low"].isna().all():
        return ""
    found = beaten(tables, metrics)
    if found.empty:
        return f"Exploratory: no method is better than the oracle of its engine beyond noise in {' or '.join(metrics)}."
    each = [
        f"{by} beats {bound} at {keep:g} % in {metric}" for bound, by, keep, metric in found.itertuples(index=False)
    ]
    return f"Exploratory: an oracle is beaten beyond noise, so it is no upper bound there: {'; '.join(each)}."


def cost_sentence(tables: Tables) -> str:
    """Between which shares of the full prefill's operations and cache the methods lie at each keep rate; empty without any."""
    own, said = methods(tables), []
    for keep in keep_rates(tables):
        spans = [
            f"{_span(shares)} of the {NAMED[metric]}"
            for metric in COSTS.values()
            if (shares := over_all(tables, metric).loc[own, keep].dropna()).size
        ]
        if spans:
            said.append(f"{' and '.join(spans)} at keep rate {keep:g} %")
    return f"Counted costs of the methods, over the full prefill's: {'; '.join(said)}." if said else ""


def _span(shares: "pd.Series[float]") -> str:
    low, high = f"{shares.min():.2f}", f"{shares.max():.2f}"
    return low if low == high else f"{low} to {high}"
