"""Draws a finished or half-finished run again and prints its table.

    python scripts/plot.py RUN_FOLDER [K]

K is in percent and selects what is drawn of evaluation=ranking; without it plots.k of the run's config is used. Runs of
evaluation=accuracy and evaluation=ttft are drawn at all their keep rates.
"""

import sys
from pathlib import Path

from tokenrank.records.run_folder import RunFolder
from tokenrank.report.report import draw, printed


def main(folder: Path, k: float | None) -> int:
    """Adds the pictures to the folder; returns the exit code: 0, 1 if a picture failed, 2 for bad input."""
    run = RunFolder(folder)
    try:
        failures = draw(run, k)
        print(printed(run, k))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for line in failures:
        print(f"warning: {line}", file=sys.stderr)
    return 1 if failures else 0


def command(arguments: list[str]) -> int:
    """``RUN_FOLDER [K]``."""
    if len(arguments) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        k = float(arguments[1]) if len(arguments) == 2 else None
    except ValueError:
        print(f"error: K is {arguments[1]!r}, must be a number of percent", file=sys.stderr)
        return 2
    return main(Path(arguments[0]), k)


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
