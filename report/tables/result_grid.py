"""A table of results as cells, before it is written as Markdown or LaTeX: a block of rows a run, a column a statistic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from tokenrank.report.rows.contestant_rows import GAP_CLOSED, RANKING, WHOLE, engines_of, in_order, keep_rates
from tokenrank.report.rows.loaded_run import LoadedRun
from tokenrank.report.tables.result_rows import BOUND, CHANCE, CONTROL, IN_PRINT, METHOD, is_end, measured

OVER_LAYERS = {"mean": "mean", "worst": "worst layer", "std": "std over layers"}
PLACES = {BOUND: 0, METHOD: 1, CONTROL: 2, CHANCE: 3}  # of the rows of evaluation=ranking


@dataclass(frozen=True)
class Cell:
    """A number with its interval and marks."""

    value: float = float("nan")  # NaN: there is none
    low: float = float("nan")
    high: float = float("nan")
    best: bool = False
    dagger: bool = False
    digits: int = 3


@dataclass(frozen=True)
class Row:
    """A method and its cells."""

    name: str
    cells: Sequence[Cell]
    group: str  # rows of one group stand together


@dataclass(frozen=True)
class Block:
    """The rows of one run below its title."""

    title: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class Grid:
    """A table."""

    name: str  # short, for a heading and a label
    caption: str
    columns: Sequence[tuple[str, str]]  # heading of the group of columns, empty: none; and of the column
    blocks: Sequence[Block]


Wanted = tuple[float | None, str]  # keep rate, None: has none; and statistic: which column


def columns_of(runs: Sequence[LoadedRun], metric: str, keep: float | None) -> dict[Wanted, tuple[str, str]]:
    """What the columns of a table hold, with their headings.

    Args:
        runs: of the table, all of one evaluation.
        metric: that is shown.
        keep: percent, the one keep rate that is shown; None: all that a run has.
    """
    if runs[0].kind == RANKING:
        return {(None, statistic): ("", heading) for statistic, heading in OVER_LAYERS.items()}
    rates = sorted({rate for run in runs for rate in keep_rates(run.tables) if keep in (None, rate)})
    headings = {"mean": metric} | ({GAP_CLOSED: "gap closed"} if any(_closes(run, metric) for run in runs) else {})
    return {(rate, each): (f"keep {rate:g} %", heading) for rate in rates for each, heading in headings.items()}


def _closes(run: LoadedRun, metric: str) -> bool:
    rows = run.tables.summary
    return bool(((rows["statistic"] == GAP_CLOSED) & (rows["metric"] == metric)).any())


def block(run: LoadedRun, rows: pd.DataFrame, wanted: Sequence[Wanted], called: Mapping[str, str]) -> Block:
    """The rows of one run.

    Args:
        run: it.
        rows: of ``result_rows``, of one metric and k.
        wanted: the columns.
        called: name of a method in the run -> its name in the table.
    """
    published = rows["role"] == IN_PRINT
    own = {str(name): each for name, each in rows[~published].groupby("method", sort=False)}
    printed = {str(name): each for name, each in rows[published].groupby("method", sort=False)}
    shown = [Row(called.get(name, name), _cells(own[name], wanted), group) for name, group in _in_order(run, own)]
    shown += [Row(f"{name} (published)", _cells(each, wanted), IN_PRINT) for name, each in printed.items()]
    unfinished = f"; {run.unfinished}" if run.unfinished else ""
    return Block(
        f"{measured(run, rows)}{unfinished}", [row for row in shown if any(pd.notna(c.value) for c in row.cells)]
    )


def _in_order(run: LoadedRun, own: Mapping[str, pd.DataFrame]) -> list[tuple[str, str]]:
    """Names and their groups: of rankings the bound, the methods best first, controls, chance; of contestants engine by engine."""
    if run.kind != RANKING:
        engines = engines_of(run.tables)
        return [(name, engines[name]) for name in in_order(own, engines)]
    means = {name: float(rows.loc[rows["statistic"] == "mean", "value"].max()) for name, rows in own.items()}
    roles = {name: str(rows["role"].iloc[0]) for name, rows in own.items()}
    order = sorted(own, key=lambda name: (PLACES[roles[name]], pd.isna(means[name]), -means[name]))
    return [(name, roles[name]) for name in order]


def _cells(rows: pd.DataFrame, wanted: Sequence[Wanted]) -> list[Cell]:
    """The cell of each column; what the full prefill has holds at every keep rate. Bounds and controls close no gap: they are its ends."""
    found = {}
    for row in rows[~is_end(rows)].to_dict("records"):
        keep = None if pd.isna(row["keep"]) else float(row["keep"])
        value, low, high = (
            float("nan") if pd.isna(row[each]) else float(row[each]) for each in ("value", "low", "high")
        )
        digits = 2 if row["statistic"] == GAP_CLOSED else 3
        cell = Cell(value, low, high, best=bool(row["best"]), dagger=bool(row["dagger"]), digits=digits)
        found[keep, str(row["statistic"])] = cell
    whole = bool(rows["keep"].eq(WHOLE).fillna(False).all()) and len(rows) > 0
    return [found.get((WHOLE, statistic) if whole else (keep, statistic), Cell()) for keep, statistic in wanted]
