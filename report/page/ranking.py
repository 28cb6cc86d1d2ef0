"""What report.html shows of evaluation=ranking: each metric at each layer, and the worst layers and prompts."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from tokenrank.records.schema import is_bound
from tokenrank.records.tables import Tables
from tokenrank.report.page.packing import number, numbers, packed_json
from tokenrank.report.pictures.contestant_style import is_grey
from tokenrank.report.rows.ranking_rows import (
    at,
    by_layer,
    chance,
    label,
    over_layers,
    over_prompts,
    ranked_metrics,
    windowed_layers,
)

WORST = 30  # rows of a heuristic in the list of the worst
FIRST = ("recall", "needle_recall", "spearman")  # in the list of metrics
OVER_PROMPTS = ("mean", "worst", "std")


def ranking_page(tables: Tables, k: float, *, few: bool = False) -> dict[str, Any]:
    """Metrics with all of their k, each with its numbers packed.

    Args:
        tables: of a run of evaluation=ranking.
        k: percent that the page shows first.
        few: whether only ``FIRST`` metrics are read, at this k: each is a pass over metrics.parquet.
    """
    ids = [str(name) for name in tables.samples["id"]]
    found = {}
    asked = [each for each in _asked(tables) if not few or (each[0] in FIRST and each[1] in (k, 0.0))]
    for metric, percent in asked:
        shown = _of_metric(tables, metric, percent, ids)
        if shown is not None and shown["heuristics"]:
            found[shown.pop("label")] = {"metric": metric, "k": shown.pop("k"), "packed": packed_json(shown)}
    at_k = [name for name, each in found.items() if each["k"] in (None, k)]
    return {"metrics": found, "first": next(iter(at_k), None), "worst_rows": WORST}


def values_of_prompts(tables: Tables, k: float) -> dict[str, float]:
    """The mean of the first metric of each prompt, over layers and heuristics without bounds and controls; NaN: has none."""
    ids = [str(name) for name in tables.samples["id"]]
    if not ranked_metrics(tables):
        return dict.fromkeys(ids, float("nan"))
    metric, percent = _first(tables, k)
    rows = over_layers(tables.summary, metric, "mean", percent)
    methods = rows[~rows["heuristic"].map(_beside)]
    means = (methods if len(methods) else rows).groupby("sample")["value"].mean()
    return {name: float(means.get(name, float("nan"))) for name in ids}


def _first(tables: Tables, k: float) -> tuple[str, float]:
    return _sorted(ranked_metrics(tables))[0], k


def _sorted(metrics: list[str]) -> list[str]:
    return sorted(metrics, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))


def _asked(tables: Tables) -> Iterator[tuple[str, float]]:
    """Each metric with each of its k; of a metric without k any number stands for it."""
    rows = tables.summary[tables.summary["heuristic"].notna()]
    for metric in _sorted(ranked_metrics(tables)):
        percents = sorted({float(k) for k in rows.loc[rows["metric"] == metric, "k"].dropna()})
        yield from ((metric, k) for k in percents or [0.0])


def _beside(name: str) -> bool:
    return is_bound(name) or is_grey(name)


def _of_metric(tables: Tables, metric: str, k: float, ids: list[str]) -> dict[str, Any] | None:
    rows = tables.of_metric(metric, k)
    try:
        values = by_layer(rows, metric, k)
    except ValueError:  # no prompt was ranked by every heuristic
        return None
    places = {name: place for place, name in enumerate(ids)}
    whose = values.index.get_level_values("heuristic")
    each = {str(name): values[whose == name].droplevel("heuristic") for name in whose.unique()}
    means = {name: rows_of.mean(axis=0) for name, rows_of in each.items()}
    known = [name for name in means if means[name].notna().any()]
    order = sorted(known, key=lambda name: (_beside(name), -float(means[name].mean())))
    return {
        "label": label(rows, metric, k),
        "k": number(rows["k"].iloc[0]),
        "chance": number(chance(rows, metric, k)),
        "prompts": len(values.index.unique("sample")),
        "layers": [int(layer) for layer in values.columns],
        "windowed": windowed_layers(rows),
        "heuristics": {
            name: _of_heuristic(each[name], means[name], places)
            | {"over": _over(tables.summary, metric, k, name), "beside": _beside(name)}
            for name in order
        },
    }


def _of_heuristic(values: pd.DataFrame, means: "pd.Series[float]", places: Mapping[str, int]) -> dict[str, Any]:
    """Of each layer the mean, the middle 80 % of the prompts and the worst prompt; and the worst prompts and layers."""
    numbers_of = values.to_numpy(dtype=float)  # (prompts, layers)
    low, high = np.percentile(numbers_of, [10, 90], axis=0)
    names = [places[str(name)] for name in values.index]
    there = np.where(np.isnan(numbers_of), np.inf, numbers_of)
    lowest = there.argmin(axis=0)
    flat = np.argsort(there, axis=None, kind="stable")[: min(WORST, int(np.isfinite(there).sum()))]
    rows, columns = np.unravel_index(flat, numbers_of.shape)
    layers = [int(layer) for layer in values.columns]
    return {
        "mean": numbers(means), "low": numbers(low), "high": numbers(high),
        "lowest": [[names[row], number(numbers_of[row, column])] for column, row in enumerate(lowest)],
        "worst": [
            [number(numbers_of[row, column]), names[row], layers[column]]
            for row, column in zip(rows, columns, strict=True)
        ],
    }  # fmt: skip


def _over(summary: pd.DataFrame, metric: str, k: float, name: str) -> dict[str, Any]:
    """Statistic -> its mean over prompts with the ends of its interval, as in summary.parquet."""
    found = {}
    for statistic in OVER_PROMPTS:
        rows = over_prompts(at(summary, metric, k), metric, statistic, k)
        if name in rows.index:
            found[statistic] = numbers(rows.loc[name, ["value", "low", "high"]])
    return found
