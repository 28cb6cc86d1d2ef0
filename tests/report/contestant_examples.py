"""Tables as evaluation=accuracy and evaluation=ttft write them, made up: every number can be worked out by hand."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pandas as pd

from tokenrank.records.schema import FULL, METRICS, RUNS, SAMPLES, SUMMARY, table
from tokenrank.records.tables import Tables

RATES = (10.0, 20.0, 40.0)
# contestant -> accuracy at 10, 20, 40 %; flops_ratio at 10 %; kv_ratio minus the keep rate
CONTESTANTS: dict[str, tuple[tuple[float, float, float], float, float]] = {
    "full": ((0.49, 0.49, 0.49), 1.0, 0.9),
    "claa": ((0.470, 0.481, 0.487), 0.62, 0.11),
    "fastkv": ((0.467, 0.473, 0.476), 0.61, 0.0),
    "gemfilter": ((0.376, 0.423, 0.451), 0.55, 0.0),
    "snapkv": ((0.455, 0.468, 0.475), 0.615, 0.0),
    "speculative": ((0.420, 0.446, 0.466), 0.35, 0.0),
    "random": ((0.31, 0.35, 0.41), 0.60, 0.0),
    "oracle": ((0.478, 0.484, 0.489), 0.60, 0.0),
}
TASKS = ("longbench/qasper", "longbench/hotpotqa")
Row = dict[str, Any]


def whose(name: str, keep: float) -> Row:
    """Model, engine, heuristic and keep rate of a contestant."""
    engine, heuristic = (FULL, None) if name == FULL else ("layerwise", name)
    return {"model": "tiny", "engine": engine, "heuristic": heuristic, "keep": 100.0 if name == FULL else keep}


def value_row(task: str, sample: str, name: str, metric: str, keep: float, value: float) -> Row:
    """A row of metrics.parquet."""
    return whose(name, keep) | {"task": task, "sample": sample, "metric": metric, "value": value}


def as_tables(
    metrics: Sequence[Row] = (),
    summary: Sequence[Row] = (),
    samples: Sequence[Row] = (),
    runs: Sequence[Row] = (),
) -> Tables:
    return Tables(table(metrics, METRICS), table(summary, SUMMARY), table(samples, SAMPLES), table(runs, RUNS))


def without(tables: Tables, name: str, keep: Sequence[float] = (), metric: str = "", sample: str = "") -> Tables:
    """The tables without the rows of a contestant, or only those of some keep rates, of metrics or of one sample."""

    def kept(rows: pd.DataFrame) -> pd.DataFrame:
        lost = rows["heuristic"].fillna(rows["engine"]) == name
        if keep:
            lost &= rows["keep"].isin(list(keep))
        if metric:
            lost &= rows["metric"].str.startswith(metric)
        if sample:
            lost &= rows["sample"] == sample
        return rows[~lost]

    return replace(tables, metrics=kept(tables.metrics), summary=kept(tables.summary))


def renamed(tables: Tables, name: str, other: str) -> Tables:
    """The tables with another name for one heuristic."""
    metrics, summary = (
        each.assign(heuristic=each["heuristic"].replace({name: other})) for each in (tables.metrics, tables.summary)
    )
    return replace(tables, metrics=metrics, summary=summary)


def with_copy(tables: Tables, name: str, copy: str) -> Tables:
    """The tables with one contestant more, which has the same numbers as another."""
    metrics, summary = (
        pd.concat([each, each[each["heuristic"] == name].assign(heuristic=copy)], ignore_index=True)
        for each in (tables.metrics, tables.summary)
    )
    return replace(tables, metrics=metrics, summary=summary)


def cell(name: str, number: int) -> dict[str, float]:
    """The means of a contestant at its ``number``-th keep rate."""
    accuracies, at_ten, more = CONTESTANTS[name]
    full = name == FULL
    counted = at_ten if full else at_ten + (RATES[number] - 10) / 200
    held = 1.0 if full else RATES[number] / 100 + more * (1 - RATES[number] / 100)
    return {
        "accuracy": accuracies[number], "flops": 4e12 * counted, "flops_ratio": counted, "kv_bytes": held * 1e9,
        "kv_ratio": held,
    }  # fmt: skip


def accuracy_tables(names: Sequence[str] = tuple(CONTESTANTS), prompts: int = 12) -> Tables:
    """Every prompt of a cell has the same numbers but for its accuracy; intervals (two prompts or more) are +- 0.02."""
    metrics: list[Row] = []
    summary: list[Row] = []
    some = prompts > 1
    for name in names:
        for number, keep in enumerate(RATES[:1] if name == FULL else RATES):
            own = whose(name, keep)
            for metric, value in cell(name, number).items():
                for prompt in range(prompts):
                    off = 0.1 * (-1) ** prompt * some if metric == "accuracy" else 0.0
                    metrics.append(value_row(TASKS[prompt % 2], f"s{prompt}", name, metric, keep, value + off))
                ends = {"low": value - 0.02, "high": value + 0.02} if some else {}
                summary.append(own | {"metric": metric, "statistic": "mean", "value": value, "prompts": prompts} | ends)
            if {"oracle", "random"} <= set(names) and name not in ("full", "oracle", "random"):
                low, high = (CONTESTANTS[each][0][number] for each in ("random", "oracle"))
                closed = (CONTESTANTS[name][0][number] - low) / (high - low)
                ends = {"low": closed - 0.1, "high": closed + 0.1} if some else {}
                summary.append(own | {"metric": "accuracy", "statistic": "gap_closed", "value": closed} | ends)
    for a, b in pairwise(names):
        difference = {"metric": "accuracy", "statistic": "mean", "against": b, "value": 0.01, "low": 0.0, "high": 0.02}
        summary += [whose(a, keep) | difference for keep in RATES]
    samples = [{"id": f"s{n}", "task": TASKS[n % 2], "tokens": 1000, "status": "ok"} for n in range(prompts)]
    return as_tables(metrics, summary, samples)


LENGTHS = (4096, 8192, 16384, 32768)
# contestant -> share of full's time that does not depend on the keep rate
SHARES = {
    "full": 1.0,
    "claa": 0.55,
    "fastkv": 0.53,
    "gemfilter": 0.47,
    "snapkv": 0.54,
    "speculative": 0.2,
    "random": 0.5,
}


def full_seconds(tokens: int) -> float:
    return 0.2 * tokens / 4096 + 0.05 * (tokens / 4096) ** 2


def ttft_cell(name: str, tokens: int, keep: float) -> dict[str, float]:
    """Everything measured of a contestant; ``low`` and ``high`` are the quartiles of ttft_ratio."""
    full = name == FULL
    ratio = 1.0 if full else SHARES[name] + keep / 200 + 0.05 * 4096 / tokens
    counted = 1.0 if full else min(SHARES[name], 0.5) + keep / 220
    seconds = full_seconds(tokens) * ratio
    return {
        "ttft": seconds, "ttft low": seconds * 0.95, "ttft high": seconds * 1.08,
        "ttft_ratio": ratio, "ttft_ratio low": ratio * 0.97, "ttft_ratio high": ratio * 1.04,
        "flops": counted * 1e12, "flops_ratio": counted, "kv_bytes": tokens * 1e5 * (1 if full else keep / 100),
        "kv_ratio": 1.0 if full else keep / 100, "choosing_share": 0.0 if full else 0.02,
        "decode_tokens_per_second": 30.0, "peak_bytes": 2.0**34,
    }  # fmt: skip


def ttft_tables(names: Sequence[str] = tuple(SHARES), lengths: Sequence[int] = LENGTHS) -> Tables:
    metrics: list[Row] = []
    summary: list[Row] = []
    for tokens in lengths:
        for name in names:
            for keep in RATES[:1] if name == FULL else RATES:
                found = ttft_cell(name, tokens, keep)
                where = ("lengths", f"n{tokens}", name)
                for metric in ("ttft", "ttft_ratio"):
                    low, high = (found.pop(f"{metric} {end}") for end in ("low", "high"))
                    row = value_row(*where, metric, keep, found.pop(metric))
                    summary.append(row | {"statistic": "median", "low": low, "high": high})
                metrics += [value_row(*where, metric, keep, value) for metric, value in found.items()]
    samples = [{"id": f"n{each}", "task": "lengths", "tokens": each, "status": "ok"} for each in lengths]
    return as_tables(metrics, summary, samples)
