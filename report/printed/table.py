"""The printed table of evaluation=ranking."""

import pandas as pd

from tokenrank.records.tables import Tables
from tokenrank.report.printed.fitting import Block, fitting, shortened
from tokenrank.report.rows.aligned import Column, aligned, interval, number, wrapped
from tokenrank.report.rows.ranking_rows import against, chance, label, over_prompts, ranked_metrics
from tokenrank.report.rows.universe import universe

CHANCE = "(chance)"


def summary(tables: Tables, k: float) -> str:
    """One line a heuristic, best first: per metric the mean over layers with its 95 % interval, and in brackets the worst layer.

    All are means over the prompts that every heuristic ranked, as summary.parquet has them. There are as many metrics as fit a line,
    the first in any case.

    Args:
        tables: of the run.
        k: percent; which k is shown.
    """
    metrics = ranked_metrics(tables)
    if not metrics:
        nothing = tables.metrics.empty
        return "no prompt could be ranked" if nothing else "no metric has a value at the one layer that was ranked"
    first = over_prompts(tables.summary, metrics[0], "mean", k).sort_values("value", ascending=False, kind="stable")
    if first.empty:
        return "no prompt was ranked by every heuristic"
    names = [str(name) for name in first.index]
    forms = shortened(names)
    named = Column("heuristic", [*(forms[name] for name in names), CHANCE], left=True)
    blocks = [Block([named], 1)]
    for number_of, metric in enumerate(metrics):
        *mean, worst = _columns(tables, metric, k, names)
        blocks += [Block(mean, 2 * number_of + 1), Block([worst], 2 * number_of + 2 if number_of else 1)]
    prompts = int(first["prompts"].max())
    heading = f"mean over layers, its 95 % interval and (worst layer), average of {prompts} prompt{'s' * (prompts != 1)}{against(tables)}"
    return "\n".join([*map(wrapped, [heading, *universe(tables.samples)]), aligned(fitting(blocks))])


def _columns(tables: Tables, metric: str, k: float, names: list[str]) -> list[Column]:
    """Mean, interval if there is one, and worst layer of every heuristic, and the chance level of the mean."""
    mean, worst = (over_prompts(tables.summary, metric, each, k).reindex(names) for each in ("mean", "worst"))
    values = [*_numbers(mean["value"]), number(chance(tables.metrics, metric, k))]
    found = [Column(label(tables.metrics, metric, k), values)]
    ends = mean[["low", "high"]].astype(float)
    if ends.notna().all(axis=1).any():
        found.append(Column("[95 %]", [*(interval(low, high) for low, high in ends.to_numpy()), ""]))
    return [*found, Column("(worst)", [*(f"({each})" for each in _numbers(worst["value"])), ""])]


def _numbers(values: "pd.Series[float]") -> list[str]:
    return [number(float(value)) if pd.notna(value) else number(float("nan")) for value in values]
