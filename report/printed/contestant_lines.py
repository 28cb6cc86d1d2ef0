"""Lines of the printed tables of contestants: a line a contestant and keep rate, grouped by engine."""

from collections.abc import Collection, Sequence

import pandas as pd

from tokenrank.records.schema import FULL
from tokenrank.records.tables import Tables
from tokenrank.report.printed.fitting import NAMES, shortened
from tokenrank.report.rows.aligned import Column
from tokenrank.report.rows.contestant_rows import contestants, keep_rates

Line = tuple[str, float]  # contestant, keep rate in percent


def lines_of(tables: Tables) -> list[Line]:
    """Contestant and keep rate of every line; the full prefill has one."""
    rates = keep_rates(tables)
    return [(name, keep) for name in contestants(tables) for keep in (rates[:1] if name == FULL else rates)]


def named(lines: Sequence[Line], marked: Collection[Line] = (), mark: str = "") -> list[Column]:
    """The first two columns: names, long ones shortened, and keep rates in percent.

    Args:
        lines: of the table.
        marked: those that have ``mark`` behind the name.
        mark: a letter.
    """
    forms = shortened([name for name, _ in lines], NAMES - len(mark))
    names = [forms[name] + (mark if (name, keep) in marked else "") for name, keep in lines]
    rates = ["all" if name == FULL else f"{keep:g}" for name, keep in lines]
    return [Column("contestant", names, left=True), Column("keep", rates)]


def at(wide: pd.DataFrame, line: Line) -> float:
    """The number of a line; ``wide`` has contestants as index and keep rates as columns."""
    name, keep = line
    return float(wide.to_numpy(dtype=float)[wide.index.get_loc(name), wide.columns.get_loc(keep)])
