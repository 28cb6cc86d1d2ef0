"""The command line that tables of several runs share."""

import argparse
from collections.abc import Callable
from pathlib import Path

from tokenrank.records.command_line import command_parser, path_argument
from tokenrank.records.visible_text import say
from tokenrank.records.writing import write_text
from tokenrank.report.rows.loaded_run import LoadedRun
from tokenrank.report.tables.report_files import main_metrics
from tokenrank.report.tables.table_runs import check_kind, read_run


def table_parser(program: str, description: str | None) -> argparse.ArgumentParser:
    """``FOLDER... [--metric NAME] [--k PERCENT] [--keep PERCENT]``, to which a command adds its own.

    Args:
        program: name of the command.
        description: what ``--help`` prints.
    """
    parser = command_parser(program, description)
    parser.add_argument("folders", nargs="+", type=path_argument, metavar="FOLDER")
    parser.add_argument("--metric")
    parser.add_argument("--k", type=float)
    parser.add_argument("--keep", type=float)
    return parser


def written(make: Callable[[], str], to: Path | None) -> int:
    """Prints what ``make`` gives, or writes it to a file and prints the file's name.

    Returns:
        The exit code: 0, or 2 for bad input, which is said.
    """
    try:
        text = make()
        if to:
            write_text(to, text)
    except (ValueError, OSError) as error:
        say(f"error: {error}")
        return 2
    print(to or text, end="\n" if to else "")
    return 0


def first_run(folder: Path, metric: str | None, k: float | None) -> tuple[LoadedRun, str]:
    """The first run, and the metric that is shown: its declared one where none is asked for.

    Raises:
        ValueError: it is no run folder, or holds no run of which tables are made.
    """
    run = read_run(folder, k)
    check_kind(run)
    return run, metric or main_metrics(run)[0]
