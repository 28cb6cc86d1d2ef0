"""The printed table of evaluation=ttft: seconds and costs of every contestant at every prompt length."""

from collections.abc import Mapping

import numpy as np

from tokenrank.records.schema import contestant_names, is_bound
from tokenrank.records.tables import Tables
from tokenrank.report.printed.contestant_lines import at, lines_of, named
from tokenrank.report.printed.fitting import Block, fitting
from tokenrank.report.rows.aligned import WIDTH, Column, aligned, interval, number, wrapped
from tokenrank.report.rows.contestant_rows import contestants, lengths, models, of_sample
from tokenrank.report.rows.protection import protected

PERCENT, GIB = 0.01, 2.0**30
RANKS = {"TTFT s": 1, "ratio": 1, "[quartiles]": 2, "FLOPs": 3, "KV": 4, "peak GiB": 5}  # if not all columns fit a line
OF_PROMPTS = (
    "ttft", "ttft_ratio", "flops_ratio", "kv_ratio", "choosing_share", "decode_tokens_per_second", "peak_bytes",
)  # fmt: skip


def without_bounds(tables: Tables) -> Tables:
    """The tables without the oracles, whose time is no speed: they need the answer first."""
    metrics, summary = (
        table[np.array([not is_bound(str(name)) for name in contestant_names(table)], dtype=bool)]
        for table in (tables.metrics, tables.summary)
    )
    return Tables(metrics, summary, tables.samples, tables.runs)


def ttft_summary(tables: Tables, width: int = WIDTH) -> str:
    """A line a prompt length, contestant and keep rate, without the oracles.

    A dash is a number that the tables do not have; a line of dashes is, for example, a contestant that ran out of memory.

    Args:
        tables: of the run.
        width: letters of a line; columns that do not fit are left out.
    """
    tables = without_bounds(tables)
    if not contestants(tables):
        return "no prompt could be timed"
    lines, tokens = lines_of(tables), lengths(tables.samples)
    rows = []
    for sample in tokens.index:
        found = {metric: of_sample(tables, metric, str(sample)) for metric in OF_PROMPTS}
        found |= {column: of_sample(tables, "ttft_ratio", str(sample), column) for column in ("low", "high")}
        rows += [_ttft({each: at(wide, line) for each, wide in found.items()}) for line in lines]
    first = [Column("tokens", [f"{length:,}" for length in tokens for _ in lines]), *named(lines * len(tokens))]
    columns = {heading: Column(heading, [row[heading] for row in rows]) for heading in rows[0]}
    blocks = [Block(first, 1), *(Block([column], RANKS.get(heading, 9)) for heading, column in columns.items())]
    heading = f"{models(tables)}: time to first token, median of repeats; keep in percent; ratio, FLOPs and KV over the full prefill's"
    return "\n".join([*map(wrapped, [heading, *protected(tables.runs)]), aligned(fitting(blocks, width))])


def _ttft(value: Mapping[str, float]) -> dict[str, str]:
    return {
        "TTFT s": number(value["ttft"]),
        "ratio": number(value["ttft_ratio"]),
        "[quartiles]": interval(value["low"], value["high"]),
        "FLOPs": number(value["flops_ratio"]),
        "KV": number(value["kv_ratio"]),
        "choosing %": number(value["choosing_share"] / PERCENT, 1),
        "decode tok/s": number(value["decode_tokens_per_second"], 1),
        "peak GiB": number(value["peak_bytes"] / GIB, 2),
    }
