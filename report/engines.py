"""What the engines do and cost in one table, as printed at the end of a run of evaluation=accuracy or evaluation=ttft."""

from collections.abc import Mapping, Sequence

import pandas as pd

from tokenrank.report.engine_rows import FULL, ORACLE, answered, engines, lengths, models, of_sample, origin, over_all

ABSENT = "-"  # not measured, or not defined
NO_SPEED = "bound"  # instead of the oracle's time: it had to answer first
PERCENT, GIB = 0.01, 2.0**30
GAP = "score.gap_closed"
OVER_ALL = (
    "score",
    "score.low",
    "score.high",
    "prefill_ratio",
    "flops_ratio",
    "kv_ratio",
    GAP,
    f"{GAP}.low",
    f"{GAP}.high",
)
OF_PROMPTS = (
    "ttft", "ttft_ratio", "ttft_ratio.low", "ttft_ratio.high", "flops_ratio", "kv_ratio", "choosing_share",
    "decode_tokens_per_second", "peak_bytes",
)  # fmt: skip


def accuracy_summary(table: pd.DataFrame) -> str:
    """A line an engine and keep rate, with bootstrap 95 % intervals: full first, then the oracle, random last.

    A dash is a number that the table does not have. ``gap closed`` is the share of the way from random to the oracle.

    Args:
        table: as in metrics.parquet.
    """
    counts = answered(table)
    if not counts.to_numpy().any():
        return "no prompt could be answered"
    found, rows = {metric: over_all(table, metric) for metric in OVER_ALL}, []
    for engine in engines(table):
        for k in _rates(engine, counts.loc[[engine]] > 0):
            value = {metric: _at(wide, engine, k) for metric, wide in found.items()}
            rows.append(_named(engine, k) | {"prompts": f"{_at(counts, engine, k):g}"} | _accuracy(engine, value))
    heading = f"{origin(table)}; means over prompts; time, FLOPs and KV over the full prefill's"
    return f"{heading}\n{_aligned(rows)}"


def _accuracy(engine: str, value: Mapping[str, float]) -> dict[str, str]:
    return {
        "score": _number(value["score"]),
        "[95 %]": _between(value["score.low"], value["score.high"]),
        "time": NO_SPEED if engine == ORACLE else _number(value["prefill_ratio"]),
        "FLOPs": _number(value["flops_ratio"]),
        "KV": _number(value["kv_ratio"]),
        "gap closed": _number(value[GAP], 2),
        " [95 %]": _between(value[f"{GAP}.low"], value[f"{GAP}.high"], 2),
    }


def ttft_summary(table: pd.DataFrame, samples: pd.DataFrame) -> str:
    """A line a prompt length, engine and keep rate; the oracle is left out, as its time is not a speed.

    A dash is a number that the table does not have; a line of dashes is an engine that ran out of memory, say.

    Args:
        table: as in metrics.parquet.
        samples: as in samples.parquet: ``id`` and ``tokens`` of every prompt.
    """
    table = table[table["heuristic"] != ORACLE]
    names = engines(table)
    if not names:
        return "no prompt could be timed"
    rows = []
    for sample, length in lengths(samples).items():
        found = {metric: of_sample(table, metric, str(sample)) for metric in OF_PROMPTS}
        for engine in names:
            for k in _rates(engine, found["ttft"].loc[[engine]].notna()):
                value = {metric: _at(wide, engine, k) for metric, wide in found.items()}
                rows.append({"tokens": f"{length:,}"} | _named(engine, k) | _ttft(value))
    heading = f"{models(table)}: time to first token, median of repeats; ratio, FLOPs and KV over the full prefill's"
    return f"{heading}\n{_aligned(rows)}"


def _ttft(value: Mapping[str, float]) -> dict[str, str]:
    return {
        "TTFT s": _number(value["ttft"]),
        "ratio": _number(value["ttft_ratio"]),
        "[quartiles]": _between(value["ttft_ratio.low"], value["ttft_ratio.high"]),
        "FLOPs": _number(value["flops_ratio"]),
        "KV": _number(value["kv_ratio"]),
        "choosing %": _number(value["choosing_share"] / PERCENT, 1),
        "decode tok/s": _number(value["decode_tokens_per_second"], 1),
        "peak GiB": _number(value["peak_bytes"] / GIB, 2),
    }


def _rates(engine: str, there: pd.DataFrame) -> list[float]:
    """Keep rates that get a line; the full prefill's rows are the same at each, so it gets one, where it has any."""
    rates = [float(k) for k in there.columns]
    if engine != FULL:
        return rates
    return [k for k, found in zip(rates, there.to_numpy()[0], strict=True) if found][:1] or rates[:1]


def _named(engine: str, k: float) -> dict[str, str]:
    return {"engine": engine, "keep %": "all" if engine == FULL else f"{k:g}"}


def _at(wide: pd.DataFrame, engine: str, k: float) -> float:
    return float(wide.to_numpy(dtype=float)[wide.index.get_loc(engine), wide.columns.get_loc(k)])


def _number(value: float, digits: int = 3) -> str:
    return ABSENT if pd.isna(value) else f"{value:.{digits}f}"


def _between(low: float, high: float, digits: int = 3) -> str:
    return ABSENT if pd.isna(low) or pd.isna(high) else f"[{low:.{digits}f}, {high:.{digits}f}]"


def _aligned(rows: Sequence[Mapping[str, str]]) -> str:
    """Engines to the left, all else to the right."""
    columns = []
    for name in rows[0]:
        cells = [name, *(row[name] for row in rows)]
        width = max(len(cell) for cell in cells)
        columns.append([cell.ljust(width) if name == "engine" else cell.rjust(width) for cell in cells])
    return "\n".join("  ".join(line) for line in zip(*columns, strict=True))
