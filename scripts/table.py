"""Makes one table of one or several runs, for a paper.

    python scripts/table.py FOLDER... [--metric recall] [--k 10] [--keep 20] [--against gemfilter] [--format md|tex|csv] [--to FILE]

Each run is a block of rows: mean, worst layer and standard deviation over layers, or with evaluation=accuracy and fidelity the result
and the gap closed at each keep rate. Without --metric it is the first run's declared metric, without --k the k that its plots show. The best
method is bold; a dagger marks what is better than --against (without it: than all other compared methods) by the run's declared test. Runs whose
values cannot be compared are refused. Exit codes: 0; 2 for bad input.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial

from tokenrank.records.command_line import path_argument
from tokenrank.report.tables.latex import latex
from tokenrank.report.tables.markdown import markdown
from tokenrank.report.tables.report_files import csv_text, grid, rows_of
from tokenrank.report.tables.result_rows import result_rows
from tokenrank.report.tables.table_arguments import first_run, table_parser, written
from tokenrank.report.tables.table_runs import read_run
from tokenrank.report.tables.telling_apart import names_of
from tokenrank.work.made_tables import with_tables

FORMATS = ("md", "tex", "csv")


def table(arguments: argparse.Namespace) -> str:
    """The text of the table.

    Raises:
        ValueError: a folder is no run folder, lacks what was asked for, or cannot be compared with the first.
    """
    folders = [with_tables(each).path for each in arguments.folders]
    first, metric = first_run(folders[0], arguments.metric, arguments.k)
    runs, k = [first, *(read_run(each, arguments.k) for each in folders[1:])], first.k
    shown = grid(runs, metric, k, arguments.against, arguments.keep)
    if arguments.format == "csv":
        found = [rows_of(run, result_rows(run, arguments.against), metric, k, arguments.keep) for run in runs]
        return csv_text([own.of_rows(rows) for own, rows in zip(names_of(runs, found), found, strict=True)])
    if arguments.format == "tex":
        return latex([shown], arguments.to.name if arguments.to else "table.tex")
    return markdown([shown])


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line; a bad one ends the process with code 2."""
    parser = table_parser("table.py", __doc__)
    parser.add_argument("--against")
    parser.add_argument("--format", choices=FORMATS)
    parser.add_argument("--to", type=path_argument)
    found = parser.parse_args(arguments)
    ending = found.to.suffix.removeprefix(".") if found.to else ""
    found.format = found.format or (ending if ending in FORMATS else "md")
    return found


def command(arguments: Sequence[str]) -> int:
    """Prints or writes the table; returns the exit code."""
    given = parsed(arguments)
    return written(partial(table, given), given.to)


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
