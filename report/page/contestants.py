"""What report.html shows of evaluation=accuracy, fidelity and ttft: every contestant at every keep rate, and its worst prompts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tokenrank.records.measures import ACCURACY, KL, LABELS, LOSS, LOWER_IS_BETTER, NEEDLE_KEPT
from tokenrank.records.schema import FULL, is_bound
from tokenrank.records.tables import Tables
from tokenrank.report.page.packing import number
from tokenrank.report.pictures.contestant_style import is_grey
from tokenrank.report.printed.contestant_lines import Line, at, lines_of
from tokenrank.report.printed.ttft_table import OF_PROMPTS, without_bounds
from tokenrank.report.rows.contestant_rows import (
    GAP_CLOSED,
    answered,
    engines_of,
    keep_rates,
    lengths,
    of_sample,
    of_samples,
    over_all,
)

WORST = 30  # prompts of a contestant at a keep rate in the list of the worst
RESULTS = (ACCURACY, LOSS, KL, "same_token")
SHOWN = (*RESULTS, NEEDLE_KEPT, "flops_ratio", "kv_ratio")
HEADINGS = {
    NEEDLE_KEPT: "needle kept", "same_token": "same token", "flops_ratio": "FLOPs", "kv_ratio": "KV", LOSS: "loss", KL: "KL",
    "ttft": "seconds to first token", "ttft_ratio": "time ratio", "choosing_share": "choosing, share of it",
    "decode_tokens_per_second": "decoded tokens a second", "peak_bytes": "peak memory, bytes",
}  # fmt: skip


def contestants_page(tables: Tables, declared: str) -> dict[str, Any]:
    """Means over prompts with their intervals, a line a contestant and keep rate; and the worst prompts of each line.

    Args:
        tables: of a run of evaluation=accuracy or fidelity with a value.
        declared: the measure of the declared comparison, which the page shows first.
    """
    lines, engines = lines_of(tables), engines_of(tables)
    there = _there(tables, shown(declared))
    ids = [str(name) for name in tables.samples["id"]]
    means = {name: _three(tables, name, lines) for name in there}
    results = [name for name in there if name in (declared, *RESULTS)]
    closed = {name: _three(tables, name, lines, GAP_CLOSED) for name in results}
    counts = answered(tables)
    return {
        "measures": {name: {"heading": HEADINGS.get(name, name), "label": LABELS.get(name, name)} for name in there},
        "results": results,
        "lower": sorted(LOWER_IS_BETTER & set(there)),
        "lines": [
            _line(line, engines[line[0]])
            | {"prompts": number(at(counts, line))}
            | {"values": {name: means[name][place] for name in there}}
            | {"closed": {name: closed[name][place] for name in results}}
            for place, line in enumerate(lines)
        ],
        "worst": {name: _worst(tables, name, lines, ids) for name in results},
    }


def shown(declared: str) -> list[str]:
    """The measures that the page has, the declared one first."""
    return list(dict.fromkeys((declared, *SHOWN)))


def _there(tables: Tables, names: Sequence[str]) -> list[str]:
    """Those that a contestant has which prunes."""
    return [name for name in names if over_all(tables, name).drop(index=FULL, errors="ignore").notna().any(axis=None)]


def of_prompt(tables: Tables, sample: str, declared: str) -> dict[str, dict[str, float | None]]:
    """``claa 20`` -> the measures of one prompt."""
    there = [name for name in shown(declared) if name in set(tables.metrics["metric"])]
    wide = {name: of_sample(tables, name, sample) for name in there}
    return {key(line): {name: number(at(wide[name], line)) for name in there} for line in lines_of(tables)}


def values_of_prompts(tables: Tables, declared: str) -> dict[str, float]:
    """How good the contestants are in the measure that is shown first on each prompt, mean over all that prune; NaN: has none."""
    ids = [str(name) for name in tables.samples["id"]]
    results = _there(tables, [declared, *RESULTS])
    if not results:
        return dict.fromkeys(ids, float("nan"))
    wide = of_samples(tables, results[0])
    names = wide.index.get_level_values("contestant")
    pruned = wide[[not (name == FULL or is_bound(name) or is_grey(name)) for name in names]]
    means = (pruned if len(pruned) else wide).mean(axis=0) * (-1 if results[0] in LOWER_IS_BETTER else 1)
    return {name: float(means.get(name, float("nan"))) for name in ids}


def key(line: Line) -> str:
    """Name of a line: ``claa 20``; ``full`` of the full prefill, which has one."""
    name, keep = line
    return name if name == FULL else f"{name} {keep:g}"


def _line(line: Line, engine: str) -> dict[str, Any]:
    name, keep = line
    rate = None if name == FULL else keep
    return {
        "key": key(line),
        "name": name,
        "engine": engine,
        "keep": rate,
        "beside": is_bound(name) or is_grey(name),
    }


def _three(tables: Tables, metric: str, lines: Sequence[Line], statistic: str = "mean") -> list[list[float | None]]:
    """Value, low and high of each line."""
    wide = [over_all(tables, metric, column, statistic) for column in ("value", "low", "high")]
    return [[number(at(each, line)) for each in wide] for line in lines]


def _worst(tables: Tables, metric: str, lines: Sequence[Line], ids: Sequence[str]) -> list[list[Any]]:
    """Value, place of the line and place of the prompt; of each line the worst prompts."""
    wide, places = of_samples(tables, metric), {name: place for place, name in enumerate(ids)}
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    found: list[list[Any]] = []
    for place, (name, keep) in enumerate(lines):
        values = wide[
            (wide.index.get_level_values("contestant") == name) & (wide.index.get_level_values("keep") == keep)
        ]
        values = values.dropna(axis=1)
        order = np.argsort(sign * values.to_numpy()[0], kind="stable")[:WORST]
        found += [[number(values.iloc[0, row]), place, places[str(values.columns[row])]] for row in order]
    return found


def ttft_table(tables: Tables) -> dict[str, Any]:
    """Medians of the repeats at every prompt length, without the oracles, whose time is no speed."""
    tables = without_bounds(tables)
    tokens = lengths(tables.samples)
    there = [name for name in OF_PROMPTS if name in {*tables.metrics["metric"], *tables.summary["metric"]}]
    rows: list[list[Any]] = []
    for sample, length in tokens.items():
        wide = {name: of_sample(tables, name, str(sample)) for name in there}
        for name, keep in lines_of(tables) if keep_rates(tables) else []:
            cells = [number(at(wide[metric], (name, keep))) for metric in there]
            rows.append([str(length), name, "all" if name == FULL else f"{keep:g}", *cells])
    headings = ["tokens", "contestant", "keep %", *(HEADINGS.get(name, name) for name in there)]
    return {"caption": "Time to first token, and costs", "columns": headings, "rows": rows}


def other_table(summary: pd.DataFrame) -> dict[str, Any]:
    """Rows over prompts of summary.parquet as they are: of an evaluation that the page knows nothing of."""
    rows = summary[summary["sample"].isna() & summary["against"].isna() & summary["task"].isna()]
    texts, values = ["engine", "heuristic", "keep", "metric", "k", "statistic"], ["value", "low", "high"]
    there = [name for name in texts if rows[name].notna().any()]
    return {
        "caption": "Statistics over prompts, from summary.parquet",
        "columns": [*there, *values],
        "rows": [_row(row, there, values) for row in rows.head(500).to_dict("records")],
    }


def _row(row: Mapping[Any, Any], texts: Sequence[str], values: Sequence[str]) -> list[Any]:
    written = [
        "" if pd.isna(row[name]) else f"{row[name]:g}" if name in ("keep", "k") else str(row[name]) for name in texts
    ]
    return [*written, *(None if pd.isna(row[name]) else number(row[name]) for name in values)]
