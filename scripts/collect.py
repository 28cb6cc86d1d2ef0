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
from tokenrank.records.command_line import command_parser, path_argument
from tokenrank.records.messages import log, messages_to_terminal
from tokenrank.records.run_files import is_sweep
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.visible_text import say
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
        say(f"error: {error}")
        return 2
    for failure in failures:
        log.warning("warning: %s", failure)
    print(f"tables and plots in {folder.path}")
    if folder.page.exists():
        print(f"all of it on one page: {folder.page}")
    return 1 if failures else 0


def command(arguments: Sequence[str]) -> int:
    """``FOLDER... [--context-effect NATS] [--to NEW_FOLDER]``."""
    parser = command_parser("collect.py", __doc__)
    parser.add_argument("folders", nargs="+", type=path_argument, metavar="FOLDER")
    parser.add_argument("--context-effect", type=float, metavar="NATS")
    parser.add_argument("--to", type=path_argument, metavar="NEW_FOLDER")
    given = parser.parse_intermixed_args(arguments)
    if given.to is None and (given.context_effect is not None or len(given.folders) > 1):
        joined_what = f"{len(given.folders)} folders" if len(given.folders) > 1 else "prompts with --context-effect"
        parser.error(f"{joined_what} are joined in a new one: name it, as in --to NEW_FOLDER")
    messages_to_terminal()
    return main(given.folders, given.to, given.context_effect)


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
