"""Which records the runs that are joined have, of which prompts, and what is missing; reads only the headers of the records."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet

from tokenrank.records.digests import digest
from tokenrank.records.record import HEADER
from tokenrank.records.run_folder import RunFolder
from tokenrank.tasks.task import refuse_twins

OF_PROMPT = ("input_ids", "max_new_tokens", "stop_ids", "not_first_ids", "task", "references", "needle")  # key fields
OF_CONTESTANTS = ("heuristic", "of_heuristics", "prefill", "points", "control_seed")  # the same
NOT_COMPARED = ("keep", "save_rankings")  # settings of the evaluation that need not agree
SHOWN = 5  # names in a message


@dataclass(frozen=True)
class Part:
    """One of the runs that are joined."""

    folder: RunFolder
    run: str  # equal for the shards of one run
    names: Mapping[str, str]  # of contestants: own name -> joined name


@dataclass(frozen=True)
class Head:
    """What a record says of itself."""

    part: int  # place of its run among the parts
    file: Path
    unit: str
    number: int
    key: str
    prompt: str  # SHA-256 of the key fields that make the prompt
    failed: bool
    host: str


@dataclass(frozen=True)
class JoinedUnit:
    """A prompt of the joined folder."""

    name: str
    heads: tuple[Head, ...]  # its records; none where no run has one


@dataclass(frozen=True)
class Survey:
    """The units of the joined folder, and one line for each kind of what is missing, damaged or renamed."""

    units: Sequence[JoinedUnit]
    warnings: Sequence[str]
    notes: Sequence[str]


def survey(parts: Sequence[Part], one_host: bool) -> Survey:
    """The prompts of all parts in the order of their plans.

    Args:
        parts: in order; where two disagree, the first is followed.
        one_host: all records must be from one host.

    Raises:
        ValueError: records differ in what their values depend on (the message names both folders and both values), or the ids of two
            prompts differ in case alone.
    """
    heads, damaged = _heads(parts, one_host)
    found: dict[tuple[str, str], list[Head]] = {}  # (unit, prompt) -> records
    order: list[tuple[str, str]] = []
    missing: list[str] = []
    for run in dict.fromkeys(part.run for part in parts):
        own = [number for number, part in enumerate(parts) if part.run == run]
        planned = _planned(parts[number] for number in own)
        there = [head for head in heads if head.part in own]
        for head in there:
            found.setdefault((head.unit, head.prompt), []).append(head)
        lacking = {unit: place for unit, place in planned.items() if unit not in {head.unit for head in there}}
        keys = [(head.number, head.unit, head.prompt) for head in there]
        keys += [(place, unit, "") for unit, place in lacking.items()]
        order += [(unit, prompt) for _, unit, prompt in sorted(keys)]
        folders = " and ".join(str(parts[number].folder.path) for number in own)
        missing += _said(lacking, len(planned), f"of {folders} have no record")
        missing += _failed(there, parts)
    units = _named(order, found)
    renamed = [unit for unit in units if unit.heads and unit.name != unit.heads[0].unit]
    notes: list[str] = []
    if renamed:
        names = listed(unit.name for unit in renamed)
        notes.append(
            f"note: {len(renamed)} of {len(units)} prompts have the id of another one, and a number behind it: {names}"
        )
    shared = [unit.name for unit in units if len({head.key for head in unit.heads}) > 1]
    if one_host and shared:
        notes.append(
            "note: contestants were timed in several runs, and ratios are over the full prefill of the first of these: "
            f"{listed(shared)}"
        )
    refuse_twins(("joined runs", unit.name) for unit in units)
    return Survey(units, [*damaged, *missing], notes)


def listed(names: Iterable[str]) -> str:
    """The first names, and how many others there are."""
    every = list(names)
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + more


def _heads(parts: Sequence[Part], one_host: bool) -> tuple[list[Head], list[str]]:
    """The headers of all records, and one line for each file that is none of its run's."""
    heads, damaged, agreement = [], [], _Agreement(parts, one_host)
    for number, part in enumerate(parts):
        units = set(part.folder.environment().get("units", []))
        for file in sorted(part.folder.record_files()):
            try:
                fields, head = _head(number, file)
                if head.unit != file.stem or head.unit not in units:
                    raise ValueError(
                        f"{file} is the record of {head.unit!r}, which is no unit of this run or another file's"
                    )
            except ValueError as error:
                damaged.append(f"left out: {error}")
                continue
            agreement.check(head, fields)
            heads.append(head)
    return heads, damaged


def _head(number: int, file: Path) -> tuple[dict[str, Any], Head]:
    """A record's key fields and what it says of itself."""
    try:
        content = json.loads(pyarrow.parquet.read_schema(file).metadata[HEADER].decode("utf-8", "surrogatepass"))
        fields: dict[str, Any] = content["key_fields"]
        return fields, Head(
            part=number,
            file=file,
            unit=content["unit"],
            number=content["number"],
            key=content["key"],
            prompt=digest({name: fields[name] for name in OF_PROMPT}),
            failed=content["sample"]["status"] != "ok",
            host=content["sample"]["host"],
        )
    except Exception as error:  # a damaged file can be wrong in as many ways as parquet has
        raise ValueError(f"{file} is not a record that can be read ({type(error).__name__}: {error})") from error


class _Agreement:
    """Compares the key fields of every record with those of the first."""

    def __init__(self, parts: Sequence[Part], one_host: bool) -> None:
        self.parts, self.one_host = parts, one_host
        self.first: tuple[Head, dict[str, Any]] | None = None
        self.weights: dict[str, tuple[Head, Any]] = {}  # joined name of a heuristic -> identity of its own weights

    def check(self, head: Head, fields: Mapping[str, Any]) -> None:
        """Raises ValueError where the record differs from the first in what its values depend on."""
        common = {name: value for name, value in fields.items() if name not in (*OF_PROMPT, *OF_CONTESTANTS)}
        common |= {"host": head.host} if self.one_host else {}
        common["evaluation"] = {name: each for name, each in common["evaluation"].items() if name not in NOT_COMPARED}
        first, known = self.first or (head, common)
        self.first = first, known
        for name in [*known, *common]:
            self._compare(first, head, name, known.get(name), common.get(name))
        for name, own in fields["of_heuristics"].items():
            joined = self.parts[head.part].names[name]
            other, weights = self.weights.setdefault(joined, (head, own))
            self._compare(other, head, f"the weights of {joined}", weights, own)

    def _compare(self, first: Head, other: Head, name: str, one: Any, another: Any) -> None:
        if one != another:
            folders = " and ".join(str(self.parts[head.part].folder.path) for head in (first, other))
            raise ValueError(f"{folders} cannot be joined: {name} is {one} in the first and {another} in the second")


def _planned(parts: Iterable[Part]) -> dict[str, int]:
    """Unit -> place, of all units of one run."""
    places: dict[str, int] = {}
    for part in parts:
        for place, unit in enumerate(part.folder.environment().get("units", [])):
            places.setdefault(str(unit), place)
    return places


def _said(units: Iterable[str], total: int, what: str) -> list[str]:
    every = list(units)
    return [f"{len(every)} of {total} units {what}: {listed(every)}"] if every else []


def _failed(heads: Sequence[Head], parts: Sequence[Part]) -> list[str]:
    """Failed units that no sound record of the same key replaces, a line a part."""
    sound = {head.key for head in heads if not head.failed}
    lines = []
    for number, part in enumerate(parts):
        own = [head for head in heads if head.part == number]
        failed = sorted((head.number, head.unit) for head in own if head.failed and head.key not in sound)
        lines += _said((unit for _, unit in failed), len(own), f"of {part.folder.path} failed, wholly or in part")
    return lines


def _named(order: Sequence[tuple[str, str]], found: Mapping[tuple[str, str], list[Head]]) -> list[JoinedUnit]:
    """A unit for each prompt; the second prompt of an id is called ID~2. One without a record has no heads."""
    known = {unit for unit, _ in order}
    with_record = {unit for unit, _ in found}
    counts: dict[str, int] = {}
    units = []
    for unit, prompt in dict.fromkeys(order):
        if (
            not prompt and unit in with_record
        ):  # another run has a prompt of this id: nobody knows whether it is the same
            continue
        counts[unit] = counts.get(unit, 0) + 1
        name = unit
        while counts[unit] > 1 and (name := f"{unit}~{counts[unit]}") in known:
            counts[unit] += 1
        units.append(JoinedUnit(name, tuple(found.get((unit, prompt), ()))))
    return units
