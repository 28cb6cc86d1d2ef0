"""Copies a finished run folder into an experiment tracker, in a process of its own, so that the tracker cannot affect the run.

    python -m tokenrank.report.loggers.mirror RUN_FOLDER SETTINGS

SETTINGS is a JSON object from ``report.trackers``. The last line printed says where the copy is.
"""

import json
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from tokenrank.records.run_folder import RunFolder
from tokenrank.records.run_names import Names
from tokenrank.report.loggers.logger import one_line
from tokenrank.report.loggers.run_copy import run_copy


def mirror(folder: RunFolder, settings: Mapping[str, Any]) -> str:
    """Chooses what is copied and gives it to ``report.TRACKER_mirror``; returns one sentence that says where it is."""
    tracker = import_module(f"tokenrank.report.loggers.{settings['tracker']}_mirror")
    said: str = tracker.mirror(run_copy(folder, Names(**settings["names"]), texts=settings["texts"]), settings)
    return said


if __name__ == "__main__":
    try:
        print(mirror(RunFolder(Path(sys.argv[1])), json.loads(sys.argv[2])))
    except Exception as error:
        sys.exit(one_line(error))
