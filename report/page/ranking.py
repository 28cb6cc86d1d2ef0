"""What report.html shows of evaluation=ranking: each metric at each layer, and the worst layers and prompts."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tokenrank.records.schema import is_bound
from tokenrank.records.tables import Tables
from tokenrank.report.page.packing import number, numbers, packed_json
from tokenrank.report.pictures.contestant_style import is_grey
from tokenrank.report.pictures.layer_values import LayerValues, layer_values
from tokenrank.report.rows.ranking_rows import at, over_layers, over_prompts, ranked_measures, ranked_metrics
from tokenrank.report.rows.worst_layers import counted_layers, worst_layers

WORST = 30  # rows of a heuristic in the list of the worst
FIRST = ("recall", "needle_recall", "spearman")  # in the list of metrics, behind the declared one
OVER_PROMPTS = ("mean", "worst", "std")


def ranking_page(tables: Tables, k: float, declared: str, *, few: bool = False) -> dict[str, Any]:
    """Metrics with all of their k, each with its numbers packed.

    Args:
        tables: of a run of evaluation=ranking.
        k: percent that the page shows first.
        declared: the metric of the declared comparison, which the page shows first.
        few: whether only ``first_metrics`` are read, at this k: each is a pass over metrics.parquet.
    """
    ids = [str(name) for name in tables.samples["id"]]
    found = {}
    shown_first = first_metrics(tables, declared)
    asked = sorted(ranked_measures(tables), key=lambda each: _place(each[0], shown_first))
    for metric, percent in asked:
        if few and not (metric in shown_first and percent in (k, None)):
            continue
        try:
            values = layer_values(tables, metric, k if percent is None else percent)
        except ValueError:  # no prompt was ranked by every heuristic
            continue
        shown = _of_metric(tables, values, k if percent is None else percent, ids)
        if shown["heuristics"]:
            found[values.name] = {"metric": metric, "k": number(percent), "packed": packed_json(shown)}
    at_k = [name for name, each in found.items() if each["k"] in (None, k)]
    return {"metrics": found, "first": next(iter(at_k), None), "worst_rows": WORST}


def first_metrics(tables: Tables, declared: str) -> list[str]:
    """The metrics of a run that stand first in its list: the declared one, then the usual ones."""
    return [name for name in dict.fromkeys((declared, *FIRST)) if name in ranked_metrics(tables)]


def _place(metric: str, first: list[str]) -> int:
    return first.index(metric) if metric in first else len(first)


def values_of_prompts(tables: Tables, k: float, declared: str) -> dict[str, float]:
    """The mean of the metric that is shown first, of each prompt, over layers and heuristics without bounds and controls; NaN: has none."""
    ids = [str(name) for name in tables.samples["id"]]
    first = [*first_metrics(tables, declared), *ranked_metrics(tables)]
    if not first:
        return dict.fromkeys(ids, float("nan"))
    rows = over_layers(tables.summary, first[0], "mean", k)
    methods = rows[~rows["heuristic"].map(is_beside)]
    means = (methods if len(methods) else rows).groupby("sample")["value"].mean()
    return {name: float(means.get(name, float("nan"))) for name in ids}


def is_beside(name: str) -> bool:
    """Whether it is no method: a bound or a control."""
    return is_bound(name) or is_grey(name)


def _of_metric(tables: Tables, values: LayerValues, k: float, ids: list[str]) -> dict[str, Any]:
    """The numbers of the pictures of the metric; methods from the best to the worst, then bounds and controls."""
    places = {name: place for place, name in enumerate(ids)}
    worst = worst_layers(values.means, values.windowed)
    worst_at = {str(name): int(layer) for name, layer in worst["layer"].items()}
    layers = [int(layer) for layer in values.means.columns]
    counted = np.isin(layers, counted_layers(layers, values.windowed))
    over = _over(tables.summary, values.metric, k)
    whose = values.of_prompts.index.get_level_values("heuristic")
    return {
        "chance": number(values.by_chance),
        "range": numbers(values.range),
        "range_of_means": numbers(values.range_of_means),
        "prompts": len(values.of_prompts.index.unique("sample")),
        "layers": layers,
        "windowed": [layer for layer in layers if layer in values.windowed],
        "heuristics": {
            name: {
                "mean": numbers(values.means.loc[name]),
                "low": numbers(values.low.loc[name]),
                "high": numbers(values.high.loc[name]),
                "tenth": numbers(values.tenth.loc[name]),
                "ninetieth": numbers(values.ninetieth.loc[name]),
                "worst_layer": layers.index(worst_at[name]),
                "flat": bool(worst.loc[name, "flat"]),
                "over": {each: numbers(rows.loc[name]) for each, rows in over.items() if name in rows.index},
                "beside": is_beside(name),
            }
            | _worst_prompts(values.of_prompts[whose == name].droplevel("heuristic"), counted, places)
            for name in sorted((each for each in values.heuristics if each in worst_at), key=is_beside)
        },
    }


def _worst_prompts(values: pd.DataFrame, counted: "np.ndarray[Any, Any]", places: Mapping[str, int]) -> dict[str, Any]:
    """The worst prompt at each layer; and the worst prompts and layers among the ``counted`` ones. Missing values are none of them."""
    numbers_of = values.to_numpy(dtype=float)  # (prompts, layers)
    names = [places[str(name)] for name in values.index]
    there = np.where(np.isnan(numbers_of), np.inf, numbers_of)
    lowest = there.argmin(axis=0)
    there[:, ~counted] = np.inf
    flat = np.argsort(there, axis=None, kind="stable")[: min(WORST, int(np.isfinite(there).sum()))]
    rows, columns = np.unravel_index(flat, numbers_of.shape)
    layers = [int(layer) for layer in values.columns]
    return {
        "lowest": [[names[row], number(numbers_of[row, column])] for column, row in enumerate(lowest)],
        "worst": [
            [number(numbers_of[row, column]), names[row], layers[column]]
            for row, column in zip(rows, columns, strict=True)
        ],
    }


def _over(summary: pd.DataFrame, metric: str, k: float) -> dict[str, pd.DataFrame]:
    """Statistic -> its means over prompts with the ends of their intervals, as in summary.parquet; index heuristics."""
    rows = at(summary[summary["sample"].isna()], metric, k)
    return {each: over_prompts(rows, metric, each, k)[["value", "low", "high"]] for each in OVER_PROMPTS}
