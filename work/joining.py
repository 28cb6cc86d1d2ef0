"""Joins the records of several runs into one run folder, prompt by prompt: only one prompt's records are in memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tokenrank.records.record import read_record
from tokenrank.records.run_files import JOINED, MARKER
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.token_levels import TokenLevels, joined_levels
from tokenrank.records.writing import write_json
from tokenrank.work.contestant_values import CHANCE, Who, groups
from tokenrank.work.merging import Contribution, merged
from tokenrank.work.surveying import Head, Part, Survey, listed


@dataclass
class Done:
    """What joining came to."""

    keys: dict[str, str] = field(default_factory=dict)  # of the records that were written: unit -> key
    warnings: list[str] = field(
        default_factory=list
    )  # one line for records that are left out, and for what prompts lack
    notes: list[str] = field(
        default_factory=list
    )  # one line for contestants of which a run has other values than those kept


def begin_joined(folder: RunFolder, environment: Mapping[str, Any], config: str, found: Survey) -> None:
    """Removes what an earlier joining wrote; until ``finish_joined`` the folder says that it is unfinished."""
    if folder.begun:
        folder.remove_run()
    joined = {JOINED: {"finished": False, **environment[JOINED]}}
    folder.begin({**environment, **joined}, {unit.name: unit.key for unit in found.units}, config)


def finish_joined(folder: RunFolder, done: Done) -> None:
    """From now on the folder is a whole one."""
    environment = folder.environment()
    environment["units"] |= done.keys
    environment[JOINED]["finished"] = True
    write_json(folder.path / MARKER, environment)


def join(parts: Sequence[Part], found: Survey, order: Sequence[str], folder: RunFolder) -> Done:
    """Writes the record of every prompt.

    Args:
        parts: the runs.
        found: their survey.
        order: joined names of the contestants in the order of the tables.
        folder: begun; takes the records.

    Raises:
        ValueError: a record that could be read before cannot be read any more.
    """
    done = Done()
    left_out: dict[tuple[int, str], list[str]] = {}
    other: dict[tuple[str, int, int], list[str]] = {}
    there: dict[str, set[Who]] = {}
    for number, unit in enumerate(found.units):
        if not unit.heads:
            continue
        given = [
            Contribution(head.part, read_record(head.file), parts[head.part].names, parts[head.part].engines)
            for head in unit.heads
        ]
        made = merged(unit.name, number, given, order)
        levels = joined_levels(
            (each for head in unit.heads if head.part in made.parts for each in _levels(parts[head.part], head, done)),
            order,
        )
        if levels is not None:
            folder.write_levels(unit.name, levels)
        folder.write_record(made.record)
        done.keys[unit.name] = made.record.key
        if made.record.measured.num_rows:
            there[unit.name] = set(groups(made.record.measured))
        for part, fact in made.left_out.items():
            left_out.setdefault((part, fact), []).append(unit.name)
        for (who, part), kept in made.other_values.items():
            other.setdefault((who, part, kept), []).append(unit.name)
    done.warnings += [
        f"left out: records of {parts[part].label}, whose {fact} is another one than in the first run that has the prompt: {listed(units)}"
        for (part, fact), units in left_out.items()
    ]
    done.warnings += _lacking(there)
    done.notes = [
        f"note: {who} has other values in {parts[part].label} than in {parts[kept].label}, which are kept: {listed(units)}"
        for (who, part, kept), units in other.items()
    ]
    return done


def _levels(part: Part, head: Head, done: Done) -> Iterator[TokenLevels]:
    """The levels that a run kept of a prompt, under joined names; none where their file is missing or damaged."""
    try:
        levels = part.folder.levels(head.unit)
    except ValueError as error:
        done.warnings.append(f"left out: {error}")
        return
    if levels is not None:
        yield replace(levels, rankings={part.names.get(name, name): rows for name, rows in levels.rankings.items()})


def _lacking(there: Mapping[str, set[Who]]) -> list[str]:
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
