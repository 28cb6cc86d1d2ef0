"""Finished run folders for tests of joining, made in this process; tiny model, no pictures, no tables."""

from pathlib import Path

from tests.plans import plan, records
from tokenrank.evaluation.plan import Plan
from tokenrank.planning.replay import replayable
from tokenrank.records.record import Record
from tokenrank.records.run_folder import RunFolder
from tokenrank.work.environment import environment

NAMES = ("metrics", "summary", "samples", "runs")


def measured(*overrides: str, evaluation: str = "ranking") -> tuple[Plan, list[Record]]:
    """A plan and the record of each of its units."""
    made = plan(*overrides, evaluation=evaluation)
    return made, records(made)


def written(path: Path, made: Plan, found: list[Record]) -> Path:
    """A run folder of this plan that has these records."""
    folder = RunFolder(path)
    folder.begin(environment(made), {unit.name: unit.key for unit in made.units}, replayable(made.config))
    for record in found:
        folder.write_record(record)
    return path


def ran(path: Path, *overrides: str, evaluation: str = "ranking") -> Path:
    """The folder of a whole run."""
    return written(path, *measured(*overrides, evaluation=evaluation))
