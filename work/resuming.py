"""Which units of a plan are done already, and whether the tables are those of their records."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tokenrank.evaluation.plan import Plan, Unit
from tokenrank.records.record import read_header
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.tables import SCHEMAS, check_table, column

log = logging.getLogger("tokenrank")
OK, FAILED = "ok", "failed"


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    todo: Sequence[Unit]  # of this command's shard, in the order of the plan: without a record, or with one that failed
    missing: Sequence[Unit]  # of all units: without a record
    failed: int  # of all units: records of failed ones


def progress(plan: Plan, folder: RunFolder) -> Progress:
    """What the folder's records say; a damaged one is named, and so are those of other work, and count as missing."""
    found = {unit.name: status(unit, folder) for unit in plan.units}
    return Progress(
        [unit for unit in plan.own_units if found[unit.name] != OK],
        [unit for unit in plan.units if found[unit.name] is None],
        sum(each == FAILED for each in found.values()),
    )


def status(unit: Unit, folder: RunFolder, level: int = logging.WARNING) -> str | None:
    """``ok`` or ``failed``, of a unit's record; None where there is none, or none that is sound and of the same key.

    Args:
        unit: of the plan.
        folder: of the run.
        level: of the message that names one which is not.
    """
    file = folder.record_file(unit.name)
    if not file.exists():
        return None
    try:
        record = read_header(file)
    except ValueError as error:
        log.log(level, "%s; the unit is measured again", error)
        return None
    if record.key != unit.key:
        log.log(
            level, "%s is of other %s; the unit is measured again", file, ", ".join(_changed(record.key_fields, unit))
        )
        return None
    return FAILED if record.failed else OK


def _changed(before: Any, unit: Unit) -> list[str]:
    return [name for name in unit.key_fields if before.get(name) != unit.key_fields[name]] or ["content"]


def tables_are_current(plan: Plan, folder: RunFolder) -> bool:
    """Whether all tables can be read, and are made of the records that are there; a damaged one is named."""
    if not any((folder.path / f"{name}.parquet").exists() for name in SCHEMAS):
        return False
    try:
        for name in SCHEMAS:
            check_table(folder.path, name)
        headers = [read_header(folder.record_file(unit.name)) for unit in plan.units]
    except ValueError as error:
        log.warning("%s; the tables are made again", error)
        return False
    names = ("id", "key", "seconds")
    known = list(zip(*(column(folder.path, "samples", name) for name in names), strict=True))
    return known == [(each.unit, each.key, each.sample["seconds"]) for each in headers]
