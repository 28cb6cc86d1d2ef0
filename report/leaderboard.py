"""One page with the methods of many runs, under one protocol; it works from disk without network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from typing import Any

import pandas as pd

from tokenrank.records.measures import COSTS, better
from tokenrank.report.aligned import interval, number
from tokenrank.report.contestant_rows import ACCURACY, GAP_CLOSED, RANKING, keep_rates
from tokenrank.report.page_packing import digest
from tokenrank.report.result_captions import named
from tokenrank.report.result_rows import CHANCE, IN_PRINT, METHOD, is_end, result_rows
from tokenrank.report.table_runs import TableRun, check_kind, deviation, settings_of


@dataclass(frozen=True)
class Protocol:
    """What all rows have in common."""

    first: TableRun  # whose settings the others are held against
    metric: str
    k: float | None  # percent; None: the metric has none
    keep: float | None  # percent; None: of evaluation=ranking

    @property
    def label(self) -> str:
        """``recall@10`` or ``loss at keep rate 20 %``."""
        return named(self.metric, self.k) + ("" if self.keep is None else f" at keep rate {self.keep:g} %")


@dataclass(frozen=True)
class Column:
    """Which number of a method a column shows, with its interval."""

    heading: str
    metric: str
    statistic: str = "mean"
    digits: int = 3
    lower: bool = False  # the smallest is the best


@dataclass(frozen=True)
class Entry:
    """A method of a run."""

    method: str
    model: str
    task: str
    prompts: int
    role: str
    run: TableRun
    numbers: Mapping[Column, Mapping[Any, Any]]  # rows of ``result_rows``

    @property
    def key(self) -> tuple[object, ...]:
        """What a row of the page is for: a method on a model and the same tasks and lengths."""
        return self.method, self.model, self.task, frozenset(self.run.tables.samples["task"].astype(str))


def protocol_of(run: TableRun, metric: str, k: float | None, keep: float | None) -> Protocol:
    """The protocol that a run fixes.

    Args:
        run: the first one.
        metric: that its rows are ranked by.
        k: percent; of metrics that have a k.
        keep: percent; None: of contestants the middle one of its keep rates.

    Raises:
        ValueError: its evaluation has no leaderboard, or it lacks the metric, the k or the keep rate.
    """
    check_kind(run)
    rates = [] if run.kind == RANKING else keep_rates(run.tables)
    rate = keep if keep is not None or not rates else rates[len(rates) // 2]
    rows = result_rows(run)
    has_k = bool(rows.loc[rows["metric"] == metric, "k"].notna().any())
    protocol = Protocol(run, metric, k if has_k else None, rate)
    lacking = lacks(run, protocol)
    if lacking:
        raise ValueError(f"{run.name} {lacking}")
    return protocol


def lacks(run: TableRun, protocol: Protocol) -> str:
    """What a run lacks of the protocol or does otherwise; empty: nothing."""
    try:
        check_kind(run)
    except ValueError as error:
        return str(error).removeprefix(f"{run.name} ")
    found = deviation(protocol.first, run, [protocol.metric])
    if found:
        return f"deviates from the protocol: {found}"
    rows = result_rows(run)
    rows = rows[(rows["metric"] == protocol.metric) & (rows["role"] == METHOD)]
    if rows.empty:
        return f"has no {protocol.metric}"
    for name, wanted in (("k", protocol.k), ("keep", protocol.keep)):
        if wanted is not None and not (rows[name] == wanted).fillna(value=False).any():
            return f"has no {protocol.metric} at {name}={wanted:g}"
    return ""


def columns_of(protocol: Protocol) -> list[Column]:
    """The numbers that are shown of each method."""
    metric, lower = protocol.metric, not better(protocol.metric, 1.0)
    label = named(metric, protocol.k)
    if protocol.first.kind == RANKING:
        beside = [Column("spearman", "spearman")] if metric != "spearman" else []
        own = [
            Column(label, metric),
            Column("worst layer", metric, "worst"),
            Column("std over layers", metric, "std", lower=True),
        ]
        return [*own, *beside]
    other = ACCURACY if metric != ACCURACY else "loss"
    costs = [Column(name, each, lower=True) for name, each in zip(("FLOPs", "KV"), COSTS.values(), strict=True)]
    return [
        Column(label, metric, lower=lower),
        Column("gap closed", metric, GAP_CLOSED, 2),
        Column(other, other, lower=not better(other, 1.0)),
        *costs,
    ]


def entries_of(run: TableRun, protocol: Protocol) -> list[Entry]:
    """The methods of a run, with the numbers of the protocol."""
    rows = result_rows(run)
    rows = rows[~rows["role"].isin([IN_PRINT, CHANCE]) & ~is_end(rows)]
    if protocol.keep is not None:
        rows = rows[(rows["keep"] == protocol.keep) | (rows["engine"] == "full")]
    if protocol.k is not None:
        rows = rows[rows["k"].isna() | (rows["k"] == protocol.k)]
    lengths = run.tables.samples["tokens"].dropna().astype(int)
    span = "" if lengths.empty else f", {_tokens(int(lengths.min()), int(lengths.max()))}"
    columns = columns_of(protocol)
    found = []
    for method, own in rows.groupby("method", sort=False):
        numbers = {(row["metric"], row["statistic"]): row for row in own.to_dict("records")}
        shown = {
            each: numbers[each.metric, each.statistic] for each in columns if (each.metric, each.statistic) in numbers
        }
        if columns[0] in shown:
            first = shown[columns[0]]
            found.append(
                Entry(
                    str(method), first["model"], first["task"] + span, int(first["prompts"]), first["role"], run, shown
                )
            )
    return found


def _tokens(least: int, most: int) -> str:
    return f"{least:,} tokens" if least == most else f"{least:,} to {most:,} tokens"


def best_of(entries: Sequence[Entry]) -> tuple[list[Entry], list[str]]:
    """Of each method, model and task the entry with the most prompts (the first of several), and a sentence for each other one."""
    chosen: dict[tuple[object, ...], Entry] = {}
    for entry in entries:
        if entry.key not in chosen or entry.prompts > chosen[entry.key].prompts:
            chosen[entry.key] = entry
    said = [
        f"{entry.method} of {entry.run.name} ({entry.prompts} prompts): {chosen[entry.key].run.name} has it on the same model and task with "
        f"{chosen[entry.key].prompts}"
        for entry in entries
        if entry is not chosen[entry.key]
    ]
    return list(chosen.values()), said


def leaderboard(protocol: Protocol, entries: Sequence[Entry], left_out: Sequence[str]) -> str:
    """The page.

    Args:
        protocol: of all entries.
        entries: of all runs.
        left_out: sentences on runs that are not in the table.
    """
    chosen, superseded = best_of(entries)
    columns = columns_of(protocol)
    first = columns[0]
    order = sorted(chosen, key=lambda each: (each.model, each.task, _value(each, first) * (1 if first.lower else -1)))
    style, script = _file("leaderboard.css"), _file("leaderboard.js")
    policy = f"default-src 'none'; style-src {digest(style)}; script-src {digest(script)}; base-uri 'none'; form-action 'none'"
    unfinished = [
        f"{run.name}: {run.unfinished}"
        for run in {id(each.run): each.run for each in chosen}.values()
        if run.unfinished
    ]
    title = f"Leaderboard: {protocol.label}"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width">
<title>{escape(title)}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
<p>{escape(_explained(protocol))}</p>
<details><summary>Settings of the protocol</summary>
<table class="settings"><tbody>{"".join(_setting(name, value) for name, value in settings_of(protocol.first, [protocol.metric]).items())}</tbody></table>
</details>
<p class="note" id="status" role="status"></p>
<div class="scroll" tabindex="0" role="region" aria-label="methods">
<table id="board">
<caption><span>Select a heading to sort. Bold: the best method of its run; dagger: better than every other method that its run compared, by the run's declared test. Grey: full prefill, oracles and controls.</span></caption>
<thead><tr>{_headings(columns)}</tr></thead>
<tbody>
{"".join(_row(each, columns) for each in order)}</tbody>
</table>
</div>
{_list("Not finished", unfinished)}{_list("Left out", [*left_out, *superseded])}</main>
<script>{script}</script>
</body>
</html>
"""


def _value(entry: Entry, column: Column) -> float:
    return float(entry.numbers[column]["value"])


def _explained(protocol: Protocol) -> str:
    what = f"Every run here is evaluation={protocol.first.kind} with the settings of {protocol.first.name} that decide what its numbers mean. "
    over = (
        "Statistics over the layers of each prompt are averaged over prompts; "
        if protocol.first.kind == RANKING
        else "Means over prompts; "
    )
    return f"{what}{over}brackets are 95 % intervals. Rows of different models or tasks are compared by no test."


def _setting(name: str, value: Any) -> str:
    return f'<tr><th scope="row">{escape(name)}</th><td>{escape(str(value))}</td></tr>'


def _headings(columns: Sequence[Column]) -> str:
    texts = "".join(
        f'<th scope="col" class="text" data-first="ascending"><button type="button">{each}</button></th>'
        for each in ("method", "model", "task")
    )
    numbers = "".join(
        f'<th scope="col" data-first="{"ascending" if lower else "descending"}"><button type="button">{escape(heading)}</button></th>'
        for heading, lower in [("prompts", False), *((each.heading, each.lower) for each in columns)]
    )
    return texts + numbers


def _row(entry: Entry, columns: Sequence[Column]) -> str:
    texts = [f'<th scope="row" class="text" data-value="{escape(entry.method)}">{escape(entry.method)}</th>']
    texts += [f'<td class="text" data-value="{escape(each)}">{escape(each)}</td>' for each in (entry.model, entry.task)]
    prompts = f'<td data-value="{entry.prompts}">{entry.prompts}</td>'
    numbers = "".join(_cell(entry.numbers.get(each), each.digits) for each in columns)
    beside = "" if entry.role == METHOD else ' class="beside"'
    return f"<tr{beside}>{''.join(texts)}{prompts}{numbers}</tr>\n"


def _cell(row: Mapping[Any, Any] | None, digits: int) -> str:
    if row is None or pd.isna(row["value"]):
        return '<td data-value="">-</td>'
    value = number(row["value"], digits)
    marked = (f"<strong>{value}</strong>" if row["best"] else value) + "\u2020" * bool(row["dagger"])
    has_ends = pd.notna(row["low"]) and pd.notna(row["high"])
    ends = f' <span class="interval">{interval(row["low"], row["high"], digits)}</span>' if has_ends else ""
    return f'<td data-value="{float(row["value"])!r}">{marked}{ends}</td>'


def _list(title: str, sentences: Sequence[str]) -> str:
    if not sentences:
        return ""
    return f"<h2>{title}</h2>\n<ul>{''.join(f'<li>{escape(each)}</li>' for each in sentences)}</ul>\n"


def _file(name: str) -> str:
    return resources.files("tokenrank.report").joinpath(name).read_text(encoding="utf-8")
