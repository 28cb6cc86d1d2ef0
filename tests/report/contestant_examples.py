"""Tables as evaluation=accuracy and evaluation=ttft write them, made up: every number can be worked out by hand."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pandas as pd

COLUMNS = {
    "model": "str", "task": "str", "sample": "str", "heuristic": "str", "layer": "Int64", "metric": "str", "k": "Float64",
    "value": "float64", "windowed": "boolean",
}  # fmt: skip
RATES = (10.0, 20.0, 40.0)
# engine -> score at 10, 20, 40 %; prefill_ratio at 10 %; kv_ratio minus the keep rate
ENGINES: dict[str, tuple[tuple[float, float, float], float, float]] = {
    "full": ((0.49, 0.49, 0.49), 1.0, 0.9),
    "claa": ((0.470, 0.481, 0.487), 0.62, 0.11),
    "fastkv": ((0.467, 0.473, 0.476), 0.61, 0.0),
    "gemfilter": ((0.376, 0.423, 0.451), 0.55, 0.0),
    "snapkv": ((0.455, 0.468, 0.475), 0.615, 0.0),
    "speculative": ((0.420, 0.446, 0.466), 0.35, 0.0),
    "random": ((0.31, 0.35, 0.41), 0.60, 0.0),
    "oracle": ((0.478, 0.484, 0.489), 1.7, 0.0),
}
TASKS = ("longbench/qasper", "longbench/hotpotqa")
Row = tuple[str | None, str | None, str, str, float, float]  # task, sample, engine, metric, k, value


def as_table(rows: Sequence[Row], model: str = "tiny") -> pd.DataFrame:
    filled: list[tuple[Any, ...]] = [
        (model, task, sample, engine, None, metric, k, value, None) for task, sample, engine, metric, k, value in rows
    ]
    return pd.DataFrame(filled, columns=list(COLUMNS)).astype(COLUMNS)


def cell(engine: str, number: int) -> dict[str, float]:
    """The means of an engine at its ``number``-th keep rate."""
    scores, at_ten, more = ENGINES[engine]
    full = engine == "full"
    seconds = at_ten if full else at_ten + (RATES[number] - 10) / 200
    held = 1.0 if full else RATES[number] / 100 + more * (1 - RATES[number] / 100)
    return {
        "score": scores[number], "prefill_seconds": 4 * seconds, "prefill_ratio": seconds,
        "flops_ratio": 1.0 if full else 0.5 + RATES[number] / 200, "kv_bytes": held * 1e9, "kv_ratio": held,
    }  # fmt: skip


def accuracy_table(names: Sequence[str] = tuple(ENGINES), prompts: int = 12) -> pd.DataFrame:
    """Every prompt of a cell has the same numbers but for its score; intervals (two prompts or more) are +- 0.02."""
    rows: list[Row] = []
    for engine in names:
        for number, k in enumerate(RATES):
            for metric, value in cell(engine, number).items():
                for prompt in range(prompts):
                    off = 0.1 * (-1) ** prompt * (prompts > 1) if metric == "score" else 0.0
                    rows.append((TASKS[prompt % 2], f"s{prompt}", engine, metric, k, value + off))
                rows.append((None, None, engine, metric, k, value))
                if prompts > 1:
                    rows += [(None, None, engine, f"{metric}.low", k, value - 0.02)]
                    rows += [(None, None, engine, f"{metric}.high", k, value + 0.02)]
            if {"oracle", "random"} <= set(names) and engine not in ("full", "oracle", "random"):
                low, high = (ENGINES[each][0][number] for each in ("random", "oracle"))
                closed = (ENGINES[engine][0][number] - low) / (high - low)
                rows.append((None, None, engine, "score.gap_closed", k, closed))
                rows += [(None, None, engine, f"score.gap_closed.{end}", k, closed + by)
                         for end, by in (("low", -0.1), ("high", 0.1)) if prompts > 1]  # fmt: skip
    for a, b in pairwise(names):
        rows += [(None, None, f"{a} - {b}", "score.difference", k, 0.01) for k in RATES]
    return as_table(rows)


LENGTHS = (4096, 8192, 16384, 32768)
# engine -> share of full's time that does not depend on the keep rate
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


def ttft_cell(engine: str, tokens: int, k: float) -> dict[str, float]:
    full = engine == "full"
    ratio = 1.0 if full else SHARES[engine] + k / 200 + 0.05 * 4096 / tokens
    counted = 1.0 if full else min(SHARES[engine], 0.5) + k / 220
    seconds = full_seconds(tokens) * ratio
    return {
        "ttft": seconds, "ttft.low": seconds * 0.95, "ttft.high": seconds * 1.08,
        "ttft_ratio": ratio, "ttft_ratio.low": ratio * 0.97, "ttft_ratio.high": ratio * 1.04,
        "flops": counted * 1e12, "flops_ratio": counted, "kv_bytes": tokens * 1e5 * (1 if full else k / 100),
        "kv_ratio": 1.0 if full else k / 100, "choosing_share": 0.0 if full else 0.02,
        "decode_tokens_per_second": 30.0, "peak_bytes": 2.0**34,
    }  # fmt: skip


def ttft_tables(
    names: Sequence[str] = tuple(SHARES), lengths: Sequence[int] = LENGTHS
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """metrics.parquet and samples.parquet."""
    rows: list[Row] = [
        ("lengths", f"n{tokens}", engine, metric, k, value)
        for tokens in lengths
        for engine in names
        for k in RATES
        for metric, value in ttft_cell(engine, tokens, k).items()
    ]
    samples = pd.DataFrame({"id": [f"n{tokens}" for tokens in lengths], "tokens": pd.array(lengths, dtype="Int64")})
    return as_table(rows), samples
