"""Tables as evaluation=accuracy and evaluation=fidelity write them, made up: every number can be worked out by hand."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pandas as pd

from tokenrank.records.measures import better
from tokenrank.records.schema import FULL, METRICS, RUNS, SAMPLES, SUMMARY, is_bound, is_control, table
from tokenrank.records.tables import Tables

RATES = (10.0, 20.0, 40.0)
# contestant -> accuracy at 10, 20, 40 %; flops_ratio at 10 %; kv_ratio minus the keep rate
CONTESTANTS: dict[str, tuple[tuple[float, float, float], float, float]] = {
    "full": ((0.49, 0.49, 0.49), 1.0, 0.9),
    "fastkv": ((0.467, 0.473, 0.476), 0.61, 0.0),
    "claa": ((0.470, 0.481, 0.487), 0.62, 0.11),
    "gemfilter": ((0.376, 0.423, 0.451), 0.55, 0.0),
    "snapkv": ((0.455, 0.468, 0.475), 0.615, 0.0),
    "speculative": ((0.420, 0.446, 0.466), 0.35, 0.0),
    "random": ((0.31, 0.35, 0.41), 0.60, 0.0),
    "random@claa": ((0.33, 0.36, 0.42), 0.61, 0.11),
    "random@gemfilter": ((0.24, 0.31, 0.38), 0.54, 0.0),
    "oracle": ((0.478, 0.484, 0.489), 0.60, 0.0),
    "oracle@claa": ((0.482, 0.488, 0.489), 0.61, 0.11),
    "oracle@gemfilter": ((0.401, 0.440, 0.462), 0.54, 0.0),
}
# contestant -> what the full prefill's answer loses at 10, 20, 40 %, nats a token; at 10 % claa loses less than its engine's oracle
LOSSES: dict[str, tuple[float, float, float]] = {
    "full": (0.0, 0.0, 0.0),
    "fastkv": (0.82, 0.59, 0.31),
    "claa": (0.48, 0.40, 0.26),
    "gemfilter": (1.10, 0.85, 0.60),
    "snapkv": (0.75, 0.55, 0.30),
    "speculative": (0.95, 0.70, 0.52),
    "random": (2.05, 1.62, 1.10),
    "random@claa": (1.90, 1.50, 1.00),
    "random@gemfilter": (2.60, 2.30, 1.75),
    "oracle": (0.55, 0.36, 0.15),
    "oracle@claa": (0.52, 0.33, 0.14),
    "oracle@gemfilter": (0.90, 0.60, 0.35),
}
# contestant -> its engine, if that is not ``layerwise``
ENGINES = {
    "full": FULL,
    "claa": "layerwise@claa",
    "gemfilter": "restart@gemfilter",
    "speculative": "draft@speculative",
}
# as the printed tables have them: full, then engine by engine, the bound first and the control last
ORDER = (
    "full", "oracle", "fastkv", "snapkv", "random", "oracle@claa", "claa", "random@claa",
    "oracle@gemfilter", "gemfilter", "random@gemfilter", "speculative",
)  # fmt: skip
TASKS = ("longbench/qasper", "longbench/hotpotqa")
Row = dict[str, Any]


def whose(name: str, keep: float) -> Row:
    """Model, engine, heuristic and keep rate of a contestant."""
    heuristic, at = (None, 100.0) if name == FULL else (name, keep)
    return {"model": "tiny", "engine": engine_of(name), "heuristic": heuristic, "keep": at}


def engine_of(name: str) -> str:
    """The bound and the control have the engine of the contestant behind their @."""
    return ENGINES.get(name.rpartition("@")[2], "layerwise")


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
    full, loss = name == FULL, LOSSES[name][number]
    counted = at_ten if full else at_ten + (RATES[number] - 10) / 200
    held = 1.0 if full else RATES[number] / 100 + more * (1 - RATES[number] / 100)
    return {
        "accuracy": accuracies[number], "flops": 4e12 * counted, "flops_ratio": counted, "kv_bytes": held * 1e9,
        "kv_ratio": held, "logprob": -0.2 - loss, "loss": loss, "loss_clipped": 0.9 * loss, "kl": 0.8 * loss,
        "same_token": 1 - loss / 4, "departure": 16 - 5 * loss,
    }  # fmt: skip


COMPARED = ("accuracy", "logprob", "loss", "loss_clipped", "kl", "same_token", "departure")


def accuracy_tables(names: Sequence[str] = tuple(CONTESTANTS), prompts: int = 12, protect: str = "window") -> Tables:
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
                summary += [
                    own | {"metric": metric} | row for row in beside_ends(names, name, number, metric, some=some)
                ]
    for a, b in pairwise(names):
        difference = {"metric": "accuracy", "statistic": "mean", "against": b, "value": 0.01, "low": 0.0, "high": 0.02}
        summary += [whose(a, keep) | difference for keep in RATES]
    samples = [{"id": f"s{n}", "task": TASKS[n % 2], "tokens": 1000, "status": "ok"} for n in range(prompts)]
    runs = [
        whose(name, keep)
        | {"task": TASKS[n % 2], "sample": f"s{n}", "status": "ok", "protect": None if name == FULL else protect}
        | {"answer_tokens": 16, "accuracy": CONTESTANTS[name][0][0]}
        for name in names
        for keep in (RATES[:1] if name == FULL else RATES)
        for n in range(prompts)
    ]
    return as_tables(metrics, summary, samples, runs)


def beside_ends(names: Sequence[str], name: str, number: int, metric: str, *, some: bool) -> Iterator[Row]:
    """Gap closed (+- 0.1) and the difference to the bound (+- 0.015), if the contestant's engine has these ends."""
    own = [each for each in names if engine_of(each) == engine_of(name)]
    ends = [each for each in own if is_bound(each)] + [each for each in own if is_control(each)]
    if name == FULL or metric not in COMPARED or len(ends) < 2:
        return
    high, low, value = (cell(each, number)[metric] for each in (*ends, name))
    closed = (value - low) / (high - low)
    if better(metric, high - low) and name not in ends:
        more = {"low": closed - 0.1, "high": closed + 0.1} if some else {}
        yield {"statistic": "gap_closed", "value": closed} | more
    if name != ends[0]:
        more = {"low": value - high - 0.015, "high": value - high + 0.015} if some else {}
        yield {"statistic": "mean", "against": ends[0], "exploratory": True, "value": value - high} | more


def fidelity_tables(names: Sequence[str] = tuple(CONTESTANTS), prompts: int = 12) -> Tables:
    """The same of a run without answers of the contestants: only the full prefill's has tokens and a grade."""
    tables = accuracy_tables(names, prompts)
    metrics, summary = (
        each[(each["metric"] != "accuracy") | (each["engine"] == FULL)] for each in (tables.metrics, tables.summary)
    )
    tokens = tables.runs["answer_tokens"].where(tables.runs["engine"] == FULL)
    return Tables(metrics, summary, tables.samples, tables.runs.assign(answer_tokens=tokens, accuracy=None))
