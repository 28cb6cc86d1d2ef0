"""Makes a W&B workspace for copies of runs: layer curves by heuristic, heat maps, trade-offs, tables.

    python scripts/dashboard.py [RUN_FOLDER] [--project PROJECT] [--entity ENTITY] [--to FILE]

RUN_FOLDER, a finished run, gives the names of metrics and heuristics; without it the panels are those of most runs. PROJECT (by default
tokenrank) and ENTITY (a user or team; by default the key's own) are those of logger=wandb. The workspace is saved if you are logged in;
else, and with --to, its spec is written as JSON into FILE, by default workspace.json. It needs pip install 'tokenrank[workspaces]'.

Exit codes: 0, saved or written; 2 for bad input, or without the package.
"""

import json
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from tokenrank.records.command_line import command_parser, path_argument
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.visible_text import say
from tokenrank.report.loggers.bounded import run_module

SECONDS = 120.0  # for all of it


def main(run: Path | None, project: str, entity: str | None, to: Path | None) -> int:
    """Saves or writes the workspace, in a process with a time limit; returns the exit code."""
    settings = {
        "run": None if run is None else str(run.resolve()), "project": project, "entity": entity,
        "asked_for_file": to is not None, "file": str(to or Path("workspace.json")),
    }  # fmt: skip
    try:
        if find_spec("wandb_workspaces") is None:
            raise ValueError("a workspace needs a package: pip install 'tokenrank[workspaces]'")
        if run is not None:
            RunFolder(run).environment()  # refuses what is no run folder
        print(run_module("tokenrank.report.loggers.workspace", [json.dumps(settings)], os.environ, SECONDS))
    except (OSError, RuntimeError, ValueError) as error:
        say(f"error: {error}")
        return 2
    return 0


def command(arguments: Sequence[str]) -> int:
    """``[RUN_FOLDER] [--project PROJECT] [--entity ENTITY] [--to FILE]``."""
    parser = command_parser("dashboard.py", __doc__)
    parser.add_argument("run", nargs="?", type=path_argument, metavar="RUN_FOLDER")
    parser.add_argument("--project", default="tokenrank")
    parser.add_argument("--entity")
    parser.add_argument("--to", type=path_argument, metavar="FILE")
    given = parser.parse_args(arguments)
    return main(given.run, given.project, given.entity, given.to)


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
