"""Joins the records of several runs into one run folder, prompt by prompt: never more than one prompt's records are in memory."""

from collections.abc import Mapping, Sequence
from typing import Any

from tokenrank.records.record import read_record
from tokenrank.records.run_folder import MARKER, RunFolder
from tokenrank.records.writing import write_json
from tokenrank.work.merging import CHANCE, Contribution, Merged, contestants_of, merged
from tokenrank.work.surveying import JoinedUnit, Part, Survey, listed

JOINED = "joined"  # the entry of environment.json that tells a joined folder


def begin_joined(folder: RunFolder, environment: Mapping[str, Any], config: str, found: Survey) -> None:
    """Removes what an earlier joining wrote; until ``finish_joined`` the folder says that it is unfinished."""
    units = {"units": [unit.name for unit in found.units]}
    folder.begin({**environment, **units, JOINED: {"finished": False, **environment[JOINED]}}, config)


def finish_joined(folder: RunFolder) -> None:
    """From now on the folder is a whole one."""
    environment = folder.environment()
    environment[JOINED]["finished"] = True
    write_json(folder.path / MARKER, environment)


def join(parts: Sequence[Part], found: Survey, order: Sequence[str], folder: RunFolder) -> tuple[list[str], list[str]]:
    """Writes the record of every prompt.

    Args:
        parts: the runs.
        found: their survey.
        order: joined names of the contestants in the order of the tables.
        folder: begun; takes the records.

    Returns:
        One line for each record that cannot be read or is left out and for contestants that some prompts lack; one for contestants that
        have other values in another run, of which the first are kept.
    """
    lines: list[str] = []
    notes: list[str] = []
    left_out: dict[tuple[int, str], list[str]] = {}
    other: dict[tuple[str, int, int], list[str]] = {}
    there: dict[str, set[tuple[str, float]]] = {}
    for number, unit in enumerate(found.units):
        made = _merged(parts, unit, number, order, lines)
        if made is None:
            continue
        folder.write_record(made.record)
        if len(made.record.rows):
            there[unit.name] = contestants_of(made.record)
        for part, fact in made.left_out.items():
            left_out.setdefault((part, fact), []).append(unit.name)
        for (who, part), kept in made.other_values.items():
            other.setdefault((who, part, kept), []).append(unit.name)
    for (part, fact), units in left_out.items():
        lines.append(
            f"left out: records of {parts[part].folder.path}, whose {fact} is another one than in the first run that has the prompt: "
            f"{listed(units)}"
        )
    for (who, part, kept), units in other.items():
        notes.append(
            f"note: {who} has other values in {parts[part].folder.path} than in {parts[kept].folder.path}, which are kept: "
            f"{listed(units)}"
        )
    return lines + _lacking(there), notes


def _merged(
    parts: Sequence[Part], unit: JoinedUnit, number: int, order: Sequence[str], lines: list[str]
) -> Merged | None:
    given = []
    for head in unit.heads:
        try:
            given.append(Contribution(head.part, read_record(head.file), parts[head.part].names))
        except ValueError as error:
            lines.append(f"left out: {error}")
    return merged(unit.name, number, given, order) if given else None


def _lacking(there: Mapping[str, set[tuple[str, float]]]) -> list[str]:
    """One line for the contestants that lack the same prompts; tables compare over the prompts that have all."""
    lacking: dict[tuple[str, ...], list[str]] = {}
    for name, keep in sorted({each for found in there.values() for each in found}):
        without = tuple(unit for unit, found in there.items() if (name, keep) not in found)
        if without and name != CHANCE:
            lacking.setdefault(without, []).append(f"{name} at {keep:g} %" if keep else name)
    return [
        f"{len(units)} of {len(there)} prompts lack {', '.join(names)}, and count for no comparison: {listed(units)}"
        for units, names in lacking.items()
    ]
