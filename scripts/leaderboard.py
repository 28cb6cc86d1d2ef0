"""Writes one page with the methods of many runs, which opens from disk.

    python scripts/leaderboard.py FOLDER... [--metric recall] [--k 10] [--keep 20] [--to leaderboard.html]

The first run fixes the protocol: its evaluation, its settings that decide what the numbers mean, and the metric (its declared one unless --metric
says) at a k or keep rate. Runs that deviate from it are named on the page with the reason, and left out. Exit codes: 0; 2 for bad input.
"""

import argparse
import sys
from collections.abc import Sequence

from tokenrank.records.command_line import path_argument
from tokenrank.records.visible_text import say
from tokenrank.records.writing import write_text
from tokenrank.report.tables.leaderboard import leaderboard
from tokenrank.report.tables.leaderboard_rows import entries_of, lacks, protocol_of
from tokenrank.report.tables.table_arguments import first_run, table_parser
from tokenrank.report.tables.table_runs import read_run
from tokenrank.work.made_tables import with_tables


def page(arguments: argparse.Namespace) -> tuple[str, list[str]]:
    """The page, and a sentence for each run that is left out.

    Raises:
        ValueError: the first folder is no run that can fix a protocol.
    """
    run, metric = first_run(with_tables(arguments.folders[0]).path, arguments.metric, arguments.k)
    protocol = protocol_of(run, metric, run.k, arguments.keep)
    entries, left_out = entries_of(run, protocol), list[str]()
    for folder in arguments.folders[1:]:
        try:
            other = read_run(with_tables(folder).path, protocol.k)
        except ValueError as error:
            left_out.append(str(error))
            continue
        lacking = lacks(other, protocol)
        if lacking:
            left_out.append(f"{other.name} {lacking}")
        else:
            entries += entries_of(other, protocol)
    return leaderboard(protocol, entries, left_out), left_out


def command(arguments: Sequence[str]) -> int:
    """Writes the page; returns the exit code."""
    parser = table_parser("leaderboard.py", __doc__)
    parser.add_argument("--to", type=path_argument, default="leaderboard.html")
    given = parser.parse_args(arguments)
    try:
        text, left_out = page(given)
        write_text(given.to, text)
    except (ValueError, OSError) as error:
        say(f"error: {error}")
        return 2
    for line in left_out:
        say(f"left out: {line}")
    print(given.to)
    return 0


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
