"""report.md, report.tex, report.csv and summary.md: the tables of a run, written into its folder, and tables of several runs."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import pandas as pd

from tokenrank.records.run_files import SUMMARY
from tokenrank.report.evaluation_report import report_of
from tokenrank.report.printed.task_means import contestants_by_task, ranking_by_task
from tokenrank.report.rows.contestant_rows import ACCURACY, FIDELITY, RANKING, WHOLE
from tokenrank.report.rows.loaded_run import LoadedRun
from tokenrank.report.sentences.found import what_was_found
from tokenrank.report.sentences.parts import Part
from tokenrank.report.sentences.sentences import declared_measure
from tokenrank.report.tables.latex import latex
from tokenrank.report.tables.markdown import escaped, fenced, markdown
from tokenrank.report.tables.result_captions import caption, named
from tokenrank.report.tables.result_grid import Grid, block, columns_of
from tokenrank.report.tables.result_rows import result_rows
from tokenrank.report.tables.table_runs import check_alike, check_kind, metrics_of
from tokenrank.report.tables.telling_apart import names_of

BESIDE = {
    RANKING: ("spearman",),
    ACCURACY: ("accuracy", "loss"),
    FIDELITY: ("loss", "kl"),
}  # beside the declared metric
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets take for the beginning of a formula


def texts_of_report(loaded: LoadedRun) -> dict[str, Callable[[], str]]:
    """Name -> makes the text, of the files of ``REPORTS`` that the run has: of evaluation=ttft, an evaluation of somebody's own and a run without a value summary.md alone.

    Args:
        loaded: the run, whose k is shown of the metrics that have one. report.csv has all.
    """
    run = replace(loaded, name=loaded.folder.path.name)
    if not _has_tables(run):
        return {SUMMARY: lambda: summary_text(run)}

    @cache
    def rows() -> list[pd.DataFrame]:
        return [result_rows(run)]

    @cache
    def grids() -> list[Grid]:
        return [grid([run], metric, run.k, found=rows()) for metric in main_metrics(run)]

    return {
        "report.md": lambda: markdown(grids(), f"Results of {run.name}"),
        "report.tex": lambda: latex(grids()),
        "report.csv": lambda: csv_text(rows()),
        SUMMARY: lambda: summary_text(run),
    }


def _has_tables(run: LoadedRun) -> bool:
    """Whether tables are made of the run: it is of one of our evaluations, but ttft, and has a value."""
    return run.kind in BESIDE and bool(metrics_of(run))


def main_metrics(run: LoadedRun) -> list[str]:
    """The declared metric, and one or two that are read beside it."""
    found = set(metrics_of(run))
    wanted = [declared_measure(run.tables, run.config)[0], *BESIDE.get(run.kind or "", ())]
    return [name for name in dict.fromkeys(wanted) if name in found] or list(metrics_of(run))[:1]


def grid(
    runs: Sequence[LoadedRun],
    metric: str,
    k: float | None,
    against: str | None = None,
    keep: float | None = None,
    found: Sequence[pd.DataFrame] | None = None,
) -> Grid:
    """A table of one metric, with a block of rows a run.

    Args:
        runs: at least one.
        metric: that all of them have.
        k: percent, of metrics that have a k.
        against: the method that daggers compare with; None: see ``result_rows``.
        keep: percent, the one keep rate that is shown; None: all.
        found: of each run its ``result_rows``, where they are known.

    Raises:
        ValueError: a run holds another evaluation or lacks the metric, the k, the keep rate or the method, or runs cannot be compared.
    """
    for run in runs:
        check_kind(run)
    check_alike(runs, [metric])
    for run in runs:
        if metric not in metrics_of(run):
            raise ValueError(f"metric is {metric!r}, must be one of those of {run.name}: {', '.join(metrics_of(run))}")
    every = [result_rows(run, against) for run in runs] if found is None else found
    shown = [rows_of(run, rows, metric, k, keep) for run, rows in zip(runs, every, strict=True)]
    has_k = any(rows["k"].notna().any() for rows in shown)
    own_k = k if has_k else None
    columns = columns_of(runs, metric, keep)
    names = names_of(runs, shown)
    shown = [rows.assign(model=own.model) for rows, own in zip(shown, names, strict=True)]
    blocks = [block(run, rows, list(columns), own.methods) for run, rows, own in zip(runs, shown, names, strict=True)]
    return Grid(named(metric, own_k), caption(runs, shown, metric, own_k, against), list(columns.values()), blocks)


def rows_of(
    run: LoadedRun, rows: pd.DataFrame, metric: str, k: float | None, keep: float | None = None
) -> pd.DataFrame:
    """The rows of ``result_rows`` of one metric, at one k if it has a k, and at one keep rate if one is asked for.

    Raises:
        ValueError: the run has no such k or keep rate.
    """
    rows = rows[rows["metric"] == metric]
    known = sorted({float(each) for each in rows["k"].dropna()})
    if known and k not in known:
        raise ValueError(f"k is {k:g}, must be one of those of {run.name}: {', '.join(f'{each:g}' for each in known)}")
    rates = sorted({float(each) for each in rows["keep"].dropna()})
    if keep is not None and keep not in rates:
        allowed = (
            f"one of those of {run.name}: {', '.join(f'{each:g}' for each in rates)}"
            if rates
            else f"left out: {run.name} has no keep rates"
        )
        raise ValueError(f"keep is {keep:g}, must be {allowed}")
    at_keep = rows["keep"].isin([keep, WHOLE]) if keep is not None else True
    return rows[(rows["k"].isna() | (rows["k"] == k)) & at_keep]


def csv_text(rows: Sequence[pd.DataFrame]) -> str:
    """The rows with a heading line; numbers in full, empty where there is none. A text that a spreadsheet would compute begins with ``'``."""
    table = pd.concat(rows, ignore_index=True)
    texts = {
        str(name): table[name].map(_no_formula) for name in table if not pd.api.types.is_numeric_dtype(table[name])
    }
    return str(table.assign(**texts).to_csv(index=False, lineterminator="\n"))


def _no_formula(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def summary_text(run: LoadedRun) -> str:
    """summary.md: the results in sentences, a table of every metric, means by task, and what failed or is not done."""
    said = what_was_found(run.tables, run.config, run.environment)
    *first, last = said.parts
    parts = [f"# Summary of {escaped(run.name)}", *map(escaped, said.order), *map(_section, first)]
    if _has_tables(run):
        rows = [result_rows(run)]
        parts.append(markdown([grid([run], metric, run.k, found=rows) for metric in metrics_of(run)]).strip())
        by_task = (
            [ranking_by_task(run.tables, run.k)]
            if run.kind == RANKING
            else [contestants_by_task(run.tables, each) for each in (ACCURACY, "loss")]
        )
        parts += [fenced(each) for each in by_task if each]
    else:
        report = report_of(run.tables, run.own_report)
        parts += [fenced(report.printed(run.tables, run.k))] if report is not None else []
    return "\n\n".join([*parts, _section(last)]) + "\n"


def _section(part: Part) -> str:
    return "\n".join([f"## {escaped(part.heading)}", "", *(f"- {escaped(each)}" for each in part.sentences)])
