"""Tables as evaluation=ttft writes them, made up: every number can be worked out by hand."""

from collections.abc import Sequence

from tests.report.contestant_examples import RATES, Row, as_tables, value_row
from tokenrank.records.schema import FULL
from tokenrank.records.tables import Tables

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
