"""Writes report.html of a finished or half-finished run: one page that works from disk without network.

    python scripts/report.py RUN_FOLDER
    python scripts/report.py SWEEP_FOLDER    of its runs together, which are joined in SWEEP_FOLDER/joined

Tables of the run that are lacking, or older than its records, are made first.
"""

import sys
from collections.abc import Sequence

from tokenrank.records.command_line import command_parser, path_argument
from tokenrank.records.messages import messages_to_terminal
from tokenrank.records.visible_text import say
from tokenrank.report.page.page import write_page
from tokenrank.report.rows.loaded_run import load_run
from tokenrank.work.made_tables import with_tables


def command(arguments: Sequence[str]) -> int:
    """``FOLDER``; prints the path of the page. Returns the exit code: 0, or 2 for bad input."""
    parser = command_parser("report.py", __doc__)
    parser.add_argument("folder", type=path_argument, metavar="FOLDER")
    given = parser.parse_args(arguments)
    messages_to_terminal()
    try:
        print(write_page(load_run(with_tables(given.folder))))
    except (ValueError, OSError) as error:
        say(f"error: {error}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
