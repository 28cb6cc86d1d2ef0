"""Shows side by side what protection and the question do to the order of methods, of a sweep such as experiment=protection.

    python scripts/protection.py FOLDER... [--metric loss] [--to FILE.md]

A folder is a run of evaluation=accuracy or fidelity, or a sweep of such runs. A table for each keep rate, a column for each run: the mean over
prompts with its 95 % interval, and the method's place in the order of that run. Every number is one of summary.parquet. Runs may differ in
prefill.protect, prefill.budget and prompts alone. Exit codes: 0; 2 for bad input.
"""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from tokenrank.planning.joined_runs import find_sources
from tokenrank.records.command_line import command_parser, path_argument
from tokenrank.records.flat_settings import flat
from tokenrank.records.measures import better
from tokenrank.records.schema import USUAL
from tokenrank.report.rows.aligned import interval, number
from tokenrank.report.rows.contestant_rows import ACCURACY, FIDELITY
from tokenrank.report.rows.loaded_run import LoadedRun
from tokenrank.report.tables.markdown import escaped
from tokenrank.report.tables.report_files import main_metrics
from tokenrank.report.tables.result_rows import BASELINES, IN_PRINT, METHOD, WHOLE, result_rows
from tokenrank.report.tables.table_arguments import written
from tokenrank.report.tables.table_runs import read_run, settings_of
from tokenrank.work.made_tables import with_tables

DECIDING = (
    "model",
    "task",
    "seed",
    "answer",
    "answers",
    "oracle",
    "heuristic",
    "prefill",
    "evaluation",
)  # groups of settings
FREE = {f"{group}.{name}" for name in USUAL for group in ("evaluation", "prefill")}  # of these, what a column shows


def compared(folders: Sequence[Path], metric: str | None = None) -> str:
    """The tables.

    Args:
        folders: runs, or sweeps of runs.
        metric: that orders the methods; None: the declared one of the first run.

    Raises:
        ValueError: a folder is no such run or lacks the metric, or two runs differ in something else, or in nothing.
    """
    runs = [read_run(with_tables(source.folder.path).path) for source in find_sources(folders)]
    for run in runs:
        if run.kind not in (ACCURACY, FIDELITY):
            raise ValueError(f"{run.name} is no run of evaluation=accuracy or fidelity, whose methods prune")
    runs.sort(key=lambda run: [settings_of(run, [])[f"evaluation.{name}"] != usual for name, usual in USUAL.items()])
    for run in runs:
        _check_like(runs[0], run)
    shown = metric or main_metrics(runs[0])[0]
    choices = [_choice(run, runs, shown) for run in runs]
    if twice := next((each for each in choices if choices.count(each) > 1), None):
        raise ValueError(f"two runs have {twice}: give one of them")
    rows = [_means(run, shown) for run in runs]
    rates = sorted({float(rate) for each in rows for rate in each["keep"]})
    lower = "lower" if better(shown, -1.0) else "higher"
    prompts = int(rows[0]["prompts"].max())
    head = (
        f"{shown}, {lower} is better: mean over {prompts} prompts, its 95 % interval, and the place among the methods."
    )
    tables = [
        _table(f"{head} Keep rate {rate:g} %.", choices, [each[each["keep"] == rate] for each in rows], shown)
        for rate in rates
    ]
    return "\n\n".join(tables) + "\n"


def _check_like(first: LoadedRun, run: LoadedRun) -> None:
    """Raises ValueError for half a run, and for one that differs from the first in anything but what the columns show."""
    if run.unfinished:
        raise ValueError(f"{run.name} is {run.unfinished}: end it first")
    one, other = (flat({name: each.config.get(name) for name in DECIDING}) for each in (first, run))
    for name in [*one, *other]:
        if name not in FREE and one.get(name) != other.get(name):
            raise ValueError(
                f"{name} is {one.get(name)} in {first.name} and {other.get(name)} in {run.name}, must be one value"
            )
    prompts, others = (set(each.tables.samples["input_ids_sha256"]) for each in (first, run))
    if prompts != others:
        raise ValueError(
            f"{len(prompts ^ others)} prompts are in one of {first.name} and {run.name} alone, must be the same"
        )
    if failed := int((run.tables.runs["status"] != "ok").sum()):
        raise ValueError(
            f"answers of {run.name} failed ({failed}), so that its means are over other prompts: run it again"
        )


def _choice(run: LoadedRun, runs: Sequence[LoadedRun], metric: str) -> str:
    """What a run's column is called: its settings in which runs differ."""
    every = [settings_of(each, [metric]) for each in (run, *runs)]
    names = [name for name in USUAL if len({each[f"evaluation.{name}"] for each in every}) > 1]
    return ", ".join(f"{name}={every[0][f'evaluation.{name}']}" for name in names) or "all settings alike"


def _means(run: LoadedRun, metric: str) -> pd.DataFrame:
    """Rows of contestants that prune, with their place among the methods of their keep rate."""
    rows = result_rows(run)
    own = ~rows["role"].isin([WHOLE, IN_PRINT])
    rows = rows[(rows["metric"] == metric) & (rows["statistic"] == "mean") & own]
    if rows.empty:
        raise ValueError(f"{run.name} has no mean of {metric}")
    ranked = (rows["role"] == METHOD) | rows["method"].isin(BASELINES)
    places = rows[ranked].groupby("keep")["value"].rank(method="min", ascending=better(metric, -1.0))
    return rows.assign(place=places)


def _table(heading: str, choices: Sequence[str], rows: Sequence[pd.DataFrame], metric: str) -> str:
    """A Markdown table: methods in the order of the first run, then bounds and controls."""
    first = pd.concat(rows).drop_duplicates("method")
    names = first.sort_values(["place", "value"], ascending=[True, better(metric, -1.0)])["method"]
    lines = [["method", "engine", *map(escaped, choices)], ["---", "---", *("---:" for _ in choices)]]
    for name in names:
        own = [each[each["method"] == name] for each in rows]
        engine = next(str(each["engine"].iloc[0]) for each in own if len(each))
        lines.append([escaped(name), escaped(engine), *map(_cell, own)])
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"{heading}\n\n{table}"


def _cell(found: pd.DataFrame) -> str:
    if found.empty:
        return "-"
    row = found.iloc[0]
    place = "" if pd.isna(row["place"]) else f" ({int(row['place'])})"
    return f"{number(row['value'])} {interval(row['low'], row['high'])}{place}"


def command(arguments: Sequence[str]) -> int:
    """Prints or writes the tables; returns the exit code."""
    parser = command_parser("protection.py", __doc__)
    parser.add_argument("folders", nargs="+", type=path_argument, metavar="FOLDER")
    parser.add_argument("--metric")
    parser.add_argument("--to", type=path_argument)
    given = parser.parse_args(arguments)
    return written(partial(compared, given.folders, given.metric), given.to)


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
