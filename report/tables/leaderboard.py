"""One page with the methods of many runs, under one protocol; it works from disk without network."""

from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any

import pandas as pd

from tokenrank.report.page.packing import digest
from tokenrank.report.rows.aligned import interval, number
from tokenrank.report.rows.contestant_rows import RANKING
from tokenrank.report.tables.leaderboard_rows import Column, Entry, Protocol, best_of, columns_of
from tokenrank.report.tables.result_rows import METHOD
from tokenrank.report.tables.table_runs import settings_of

FEW = 8  # settings that are shown at once; more are a click away


def leaderboard(protocol: Protocol, entries: Sequence[Entry], left_out: Sequence[str]) -> str:
    """The page.

    Args:
        protocol: of all entries.
        entries: of all runs.
        left_out: sentences on runs that are not in the table.
    """
    chosen, superseded = best_of(entries)
    first, *others = columns_of(protocol)
    columns = [first, *(each for each in others if any(_has(entry, each) for entry in chosen))]
    order = sorted(chosen, key=lambda each: (each.model, each.task, _value(each, first) * (1 if first.lower else -1)))
    style, script = _file("leaderboard.css"), _file("leaderboard.js")
    policy = f"default-src 'none'; style-src {digest(style)}; script-src {digest(script)}; base-uri 'none'; form-action 'none'"
    unfinished = [
        f"{run.name}: {run.unfinished}"
        for run in {id(each.run): each.run for each in chosen}.values()
        if run.unfinished
    ]
    settings = settings_of(protocol.first, [protocol.metric])
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
<details{" open" if len(settings) <= FEW else ""}><summary>Settings of the protocol</summary>
<table class="settings"><tbody>{"".join(_setting(name, value) for name, value in settings.items())}</tbody></table>
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


def _has(entry: Entry, column: Column) -> bool:
    return column in entry.numbers and pd.notna(entry.numbers[column]["value"])


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
    return resources.files("tokenrank.report.tables").joinpath(name).read_text(encoding="utf-8")
