"""Draws a finished or half-finished run again and prints its table.

    python scripts/plot.py RUN_FOLDER [K] [METRIC,METRIC]

K, in percent, and the metrics, or all, select what is drawn of evaluation=ranking; without them plots.k and plots.metrics of the
run's config are used. Tables that are lacking, or older than the records, are made first. Runs of evaluation=accuracy, fidelity and ttft are drawn at all their keep rates.
"""

import sys
from pathlib import Path

from tokenrank.report.report import draw, printed
from tokenrank.report.rows.loaded_run import load_run
from tokenrank.work.made_tables import with_tables


def main(folder: Path, k: float | None, metrics: list[str] | None = None) -> int:
    """Adds the pictures to the folder; returns the exit code: 0, 1 if a picture failed, 2 for bad input."""
    try:
        run = load_run(with_tables(folder), k)
        failures = draw(run, metrics)
        print(printed(run))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for line in failures:
        print(f"warning: {line}", file=sys.stderr)
    return 1 if failures else 0


def command(arguments: list[str]) -> int:
    """``RUN_FOLDER [K] [METRIC,METRIC]``."""
    numbers = [each for each in arguments[1:] if _is_number(each)]
    names = [each for each in arguments[1:] if not _is_number(each)]
    if not arguments or len(numbers) > 1 or len(names) > 1:
        print(__doc__, file=sys.stderr)
        return 2
    return main(
        Path(arguments[0]).expanduser(), float(numbers[0]) if numbers else None, names[0].split(",") if names else None
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
