"""The printed tables of evaluation=accuracy and evaluation=ttft: results and costs of every contestant."""

from collections.abc import Mapping, Sequence

import pandas as pd

from tokenrank.records.schema import FULL, ORACLE, contestant_names
from tokenrank.records.tables import Tables
from tokenrank.report.contestant_rows import (
    answered,
    contestants,
    keep_rates,
    lengths,
    models,
    of_sample,
    origin,
    over_all,
)

ABSENT = "-"  # not measured, or not defined
PERCENT, GIB = 0.01, 2.0**30
GAP = "gap_closed"
Cell = tuple[str, str, str]  # metric, column, statistic
OVER_ALL: dict[str, Cell] = {
    **{column: ("accuracy", column, "mean") for column in ("value", "low", "high")},
    **{metric: (metric, "value", "mean") for metric in ("flops_ratio", "kv_ratio")},
    GAP: ("accuracy", "value", GAP),
    f"{GAP} low": ("accuracy", "low", GAP),
    f"{GAP} high": ("accuracy", "high", GAP),
}
OF_PROMPTS = (
    "ttft", "ttft_ratio", "flops_ratio", "kv_ratio", "choosing_share", "decode_tokens_per_second", "peak_bytes",
)  # fmt: skip


def accuracy_summary(tables: Tables) -> str:
    """A line a contestant and keep rate, with 95 % intervals: full first, then the oracle, random last.

    Its costs are operations counted and bytes held, over the full prefill's; evaluation=ttft measures time.

    A dash is a number that the tables do not have. Gap closed is (accuracy - random's) / (oracle's - random's).
    """
    if tables.metrics.empty:
        return "no prompt could be answered"
    counts = answered(tables)
    if not counts.to_numpy().any():
        return "no prompt could be answered"
    found = {name: over_all(tables, *cell) for name, cell in OVER_ALL.items()}
    rows = []
    for name, keep in _lines(tables):
        value = {each: _at(wide, name, keep) for each, wide in found.items()}
        rows.append(_named(name, keep) | {"prompts": f"{_at(counts, name, keep):g}"} | _accuracy(value))
    heading = f"{origin(tables)}; means over prompts; FLOPs counted and KV held, over the full prefill's"
    return f"{heading}\n{_aligned(rows)}"


def _accuracy(value: Mapping[str, float]) -> dict[str, str]:
    return {
        "accuracy": _number(value["value"]),
        "[95 %]": _interval(value["low"], value["high"]),
        "FLOPs": _number(value["flops_ratio"]),
        "KV": _number(value["kv_ratio"]),
        "gap closed": _number(value[GAP], 2),
        " [95 %]": _interval(value[f"{GAP} low"], value[f"{GAP} high"], 2),
    }


def without_oracle(tables: Tables) -> Tables:
    """The tables without the oracle, whose time is no speed: it needs the answer first."""
    metrics, summary = (table[contestant_names(table) != ORACLE] for table in (tables.metrics, tables.summary))
    return Tables(metrics, summary, tables.samples, tables.runs)


def ttft_summary(tables: Tables) -> str:
    """A line a prompt length, contestant and keep rate, without the oracle.

    A dash is a number that the tables do not have; a line of dashes is, for example, a contestant that ran out of memory.
    """
    tables = without_oracle(tables)
    if not contestants(tables):
        return "no prompt could be timed"
    rows = []
    for sample, length in lengths(tables.samples).items():
        found = {metric: of_sample(tables, metric, str(sample)) for metric in OF_PROMPTS}
        found |= {column: of_sample(tables, "ttft_ratio", str(sample), column) for column in ("low", "high")}
        for name, keep in _lines(tables):
            value = {each: _at(wide, name, keep) for each, wide in found.items()}
            rows.append({"tokens": f"{length:,}"} | _named(name, keep) | _ttft(value))
    heading = f"{models(tables)}: time to first token, median of repeats; ratio, FLOPs and KV over the full prefill's"
    return f"{heading}\n{_aligned(rows)}"


def _ttft(value: Mapping[str, float]) -> dict[str, str]:
    return {
        "TTFT s": _number(value["ttft"]),
        "ratio": _number(value["ttft_ratio"]),
        "[quartiles]": _interval(value["low"], value["high"]),
        "FLOPs": _number(value["flops_ratio"]),
        "KV": _number(value["kv_ratio"]),
        "choosing %": _number(value["choosing_share"] / PERCENT, 1),
        "decode tok/s": _number(value["decode_tokens_per_second"], 1),
        "peak GiB": _number(value["peak_bytes"] / GIB, 2),
    }


def _lines(tables: Tables) -> list[tuple[str, float]]:
    """Contestant and keep rate of every line; the full prefill has one."""
    rates = keep_rates(tables)
    return [(name, keep) for name in contestants(tables) for keep in (rates[:1] if name == FULL else rates)]


def _named(name: str, keep: float) -> dict[str, str]:
    return {"contestant": name, "keep %": "all" if name == FULL else f"{keep:g}"}


def _at(wide: pd.DataFrame, name: str, keep: float) -> float:
    return float(wide.to_numpy(dtype=float)[wide.index.get_loc(name), wide.columns.get_loc(keep)])


def _number(value: float, digits: int = 3) -> str:
    return ABSENT if pd.isna(value) else f"{value:.{digits}f}"


def _interval(low: float, high: float, digits: int = 3) -> str:
    return ABSENT if pd.isna(low) or pd.isna(high) else f"[{low:.{digits}f}, {high:.{digits}f}]"


def _aligned(rows: Sequence[Mapping[str, str]]) -> str:
    """Contestants to the left, all else to the right."""
    columns = []
    for name in rows[0]:
        cells = [name, *(row[name] for row in rows)]
        width = max(len(cell) for cell in cells)
        columns.append([cell.ljust(width) if name == "contestant" else cell.rjust(width) for cell in cells])
    return "\n".join("  ".join(line) for line in zip(*columns, strict=True))
