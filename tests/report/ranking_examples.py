"""Rows as evaluation=ranking writes them."""

from collections.abc import Sequence
from typing import Any

from tokenrank.records.schema import METRICS, RUNS, SAMPLES, SUMMARY, table
from tokenrank.records.tables import Tables

Row = dict[str, Any]


def at_layer(sample: str, heuristic: str | None, layer: int | None, metric: str, k: float | None, value: float) -> Row:
    """A row of metrics.parquet; the chance level has neither heuristic nor layer."""
    return {
        "model": "tiny", "task": "niah", "sample": sample, "heuristic": heuristic, "layer": layer, "metric": metric, "k": k,
        "value": value, "windowed": None if layer is None else False,
    }  # fmt: skip


def of_prompt(sample: str, heuristic: str, metric: str, statistic: str, k: float | None, value: float) -> Row:
    """A row of summary.parquet: a statistic over the layers of one prompt."""
    return {
        "model": "tiny", "task": "niah", "sample": sample, "heuristic": heuristic, "metric": metric, "k": k,
        "statistic": statistic, "value": value, "windowed": False,
    }  # fmt: skip


def of_prompts(heuristic: str, metric: str, statistic: str, k: float | None, value: float, **more: Any) -> Row:
    """A row of summary.parquet: a statistic's mean over prompts, or a comparison (``against``)."""
    row = of_prompt("", heuristic, metric, statistic, k, value)
    return row | {"task": None, "sample": None} | more


def of_pair(heuristic: str, layer: int, other_layer: int, metric: str, k: float | None, value: float) -> Row:
    """A row of summary.parquet: what a metric says between two layers, mean over prompts."""
    return of_prompts(heuristic, metric, "mean", k, value, layer=layer, other_layer=other_layer)


def ranked(metrics: Sequence[Row] = (), summary: Sequence[Row] = (), samples: Sequence[Row] = ()) -> Tables:
    return Tables(table(metrics, METRICS), table(summary, SUMMARY), table(samples, SAMPLES), table([], RUNS))
