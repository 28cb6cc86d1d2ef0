"""Draws a finished or half-finished run again and prints its table.

    python scripts/plot.py RUN_FOLDER [K] [METRIC,METRIC]

K, in percent, and the metrics, or all, select what is drawn of evaluation=ranking; without them plots.k and plots.metrics of the
run's config are used. Tables that are lacking, or older than the records, are made first. Runs of evaluation=accuracy, fidelity and ttft are drawn at all their keep rates.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from tokenrank.records.command_line import command_parser, path_argument
from tokenrank.records.visible_text import say
from tokenrank.report.report import draw, printed
from tokenrank.report.rows.loaded_run import load_run
from tokenrank.work.made_tables import with_tables


def main(folder: Path, k: float | None, metrics: list[str] | None = None) -> int:
    """Adds the pictures to the folder; returns the exit code: 0, 1 if a picture failed, 2 for bad input."""
    try:
        run = load_run(with_tables(folder), k)
        failures = draw(run, metrics)
        print(printed(run))
    except (ValueError, OSError) as error:
        say(f"error: {error}")
        return 2
    for line in failures:
        say(f"warning: {line}")
    return 1 if failures else 0


def command(arguments: Sequence[str]) -> int:
    """``RUN_FOLDER [K] [METRIC,METRIC]``."""
    parser = command_parser("plot.py", __doc__)
    parser.add_argument("folder", type=path_argument, metavar="RUN_FOLDER")
    parser.add_argument("chosen", nargs="*", type=_k_or_metrics, metavar="K METRIC,METRIC")
    given = parser.parse_args(arguments)
    ks = [each for each in given.chosen if isinstance(each, float)]
    metrics = [each for each in given.chosen if isinstance(each, list)]
    if len(ks) > 1 or len(metrics) > 1:
        parser.error("K and METRIC,METRIC must be given once at most")
    return main(given.folder, next(iter(ks), None), next(iter(metrics), None))


def _k_or_metrics(text: str) -> float | list[str]:
    try:
        return float(text)
    except ValueError:
        return text.split(",")


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
