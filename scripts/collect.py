"""Makes the tables and pictures of a run folder from its records, of a run that was killed half-way too, and prints its table.

    python scripts/collect.py RUN_FOLDER                    (installed: python -m tokenrank.collect RUN_FOLDER)
    python scripts/collect.py SWEEP_FOLDER                  joins the runs of a sweep, in SWEEP_FOLDER/joined
    python scripts/collect.py FOLDER... --to NEW_FOLDER     joins runs, shards and sweeps, in a new folder
    python scripts/collect.py FOLDER... --context-effect 0.2 --to NEW_FOLDER     of one run or several only the prompts whose answer loses at
                                                            least so many nats a token without its context

Nothing is measured again, and runs that are joined are only read. Exit codes: 0; 1 if a picture failed, or if a unit or a contestant
is missing, failed or cannot be read, which is named; 2 for what is no run folder or cannot be joined, or while a run is writing into it.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from tokenrank.planning.comparable import evaluation_of
from tokenrank.planning.joined_runs import DEFAULT
from tokenrank.records.messages import log, messages_to_terminal
from tokenrank.records.run_files import is_sweep
from tokenrank.records.run_folder import RunFolder
from tokenrank.report.report import printed
from tokenrank.report.rows.loaded_run import load_run
from tokenrank.report.whole import write_report
from tokenrank.work.collecting import collect
from tokenrank.work.joined_folder import joinable
from tokenrank.work.made_tables import with_records


def collected(path: Path) -> tuple[RunFolder, list[str]]:
    """Collects, draws and prints one folder; returns it and one line for each file that was left out or not made."""
    folder = with_records(path)
    with folder.locked():
        return folder, _finished(folder)


def joined(given: Sequence[Path], target: Path, context_effect: float | None = None) -> tuple[RunFolder, list[str]]:
    """Joins runs into a new folder, collects, draws and prints it; returns it and one line for each thing that is missing."""
    runs = joinable(given, target, context_effect)
    with runs.folder.locked():
        return runs.folder, [*runs.join(), *_finished(runs.folder)]


def _finished(folder: RunFolder) -> list[str]:
    """Tables, pictures and the printed table, from the records."""
    failures = collect(folder, evaluation_of(folder))
    run = load_run(folder)
    failures += write_report(run)
    print(printed(run))
    return failures


def main(given: Sequence[Path], to: Path | None, context_effect: float | None = None) -> int:
    """Collects one folder or joins several, or their prompts with such a context effect; returns the exit code."""
    try:
        if to is None and len(given) == 1 and is_sweep(given[0]):
            to = given[0] / DEFAULT
        folder, failures = collected(given[0]) if to is None else joined(given, to, context_effect)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for failure in failures:
        log.warning("warning: %s", failure)
    print(f"tables and plots in {folder.path}")
    return 1 if failures else 0


def command(arguments: list[str]) -> int:
    """``FOLDER... [--context-effect NATS] [--to NEW_FOLDER]``."""
    try:
        given, effect = _without_option(arguments, "--context-effect")
        given, to = _without_option(given, "--to")
    except ValueError:
        given, to, effect = [], None, None
    if not given or any(each.startswith("-") for each in given):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        at_least = None if effect is None else float(effect)
    except ValueError:
        print(f"error: --context-effect is {effect!r}, must be a number of nats a token", file=sys.stderr)
        return 2
    if to is None and (at_least is not None or len(given) > 1):
        what = f"{len(given)} folders are joined" if len(given) > 1 else "prompts with --context-effect are joined"
        print(f"error: {what} in a new one: name it, as in --to NEW_FOLDER", file=sys.stderr)
        return 2
    messages_to_terminal()
    return main(
        [Path(each).expanduser() for each in given], Path(to).expanduser() if to is not None else None, at_least
    )


def _without_option(arguments: list[str], name: str) -> tuple[list[str], str | None]:
    """The arguments without an option and its value, and the value; None where it is not given.

    Raises:
        ValueError: it has no value.
    """
    if name not in arguments:
        return arguments, None
    place = arguments.index(name)
    if place + 1 == len(arguments):
        raise ValueError(f"{name} needs a value")
    return [*arguments[:place], *arguments[place + 2 :]], arguments[place + 1]


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
