"""Writes report.html of a finished or half-finished run: one page that works from disk without network.

python scripts/report.py RUN_FOLDER
"""

import sys
from pathlib import Path

from tokenrank.records.run_folder import RunFolder
from tokenrank.report.page.page import write_page
from tokenrank.report.rows.loaded_run import load_run


def command(arguments: list[str]) -> int:
    """``RUN_FOLDER``; prints the path of the page. Returns the exit code: 0, or 2 for bad input."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        print(write_page(load_run(RunFolder(Path(arguments[0])))))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
