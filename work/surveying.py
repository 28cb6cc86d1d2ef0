"""Which records the runs that are joined have, of which prompts, and what is missing; reads only the headers of the records."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenrank.records.digests import digest
from tokenrank.records.record import Record, read_header
from tokenrank.records.run_folder import RunFolder
from tokenrank.tasks.task import refuse_twins
from tokenrank.work.agreement import Agreement

OF_PROMPT = (
    "input_ids",
    "max_new_tokens",
    "stop_ids",
    "not_first_ids",
    "task",
    "references",
    "evidence",
    "context",
    "question",
    "answer_ids",
)  # key fields that make a prompt; fmt: skip
SHOWN = 5  # names in a message


@dataclass(frozen=True)
class Part:
    """One of the runs that are joined."""

    folder: RunFolder
    units: Mapping[str, str]  # all that it was to measure: name -> key
    names: Mapping[str, str]  # of contestants: own name -> joined name
    engines: Mapping[str, str]  # the same of engines

    @property
    def label(self) -> str:
        """Its folder, for messages."""
        return str(self.folder.path)


@dataclass(frozen=True)
class Head:
    """What a record says of itself."""

    part: int  # place of its run among the parts
    file: Path
    unit: str
    key: str
    prompt: str  # SHA-256 of the key fields that make the prompt
    failed: bool
    seconds: float  # that measuring it took; another record of the unit has others
    context_effect: float | None = None  # nats a token; None: not measured


@dataclass(frozen=True)
class JoinedUnit:
    """A prompt of the joined folder."""

    name: str
    key: str  # of the first run that was to measure it
    heads: tuple[Head, ...]  # its records in the order of the parts; none where no run has one


@dataclass(frozen=True)
class Survey:
    """The units of the joined folder, and one line for each kind of what is missing, damaged or renamed."""

    units: Sequence[JoinedUnit]
    warnings: Sequence[str]
    notes: Sequence[str]


def survey(parts: Sequence[Part], timed: bool) -> Survey:
    """The prompts of all parts in the order of their plans.

    Args:
        parts: in order; where two disagree, the first is followed.
        timed: times were measured: all records must be from one host.

    Raises:
        ValueError: records differ in what their values depend on (the message names both folders and both values), or the ids of two
            prompts differ in case alone.
    """
    heads, damaged = _heads(parts, timed)
    units = _units(parts, heads)
    refuse_twins(("joined runs", unit.name) for unit in units)
    renamed = [unit.name for unit in units if unit.heads and unit.name != unit.heads[0].unit]
    notes = []
    if renamed:
        notes.append(
            f"note: {len(renamed)} of {len(units)} prompts have the id of another one, and a number behind it: {listed(renamed)}"
        )
    shared = [unit.name for unit in units if len({head.key for head in unit.heads}) > 1]
    if timed and shared:
        notes.append(
            "note: contestants were timed in several runs, and ratios are over the full prefill of the first of these: "
            f"{listed(shared)}"
        )
    return Survey(units, [*damaged, *_missing(parts, heads), *_failed(parts, heads)], notes)


def listed(names: Iterable[str]) -> str:
    """The first names, and how many others there are."""
    every = list(names)
    return ", ".join(every[:SHOWN]) + (f" and {len(every) - SHOWN} more" if len(every) > SHOWN else "")


def _heads(parts: Sequence[Part], timed: bool) -> tuple[list[Head], list[str]]:
    """What all records say of themselves, and one line for each file that is none of its run's."""
    heads, damaged, agreement = [], [], Agreement()
    for number, part in enumerate(parts):
        files = {file.stem: file for file in part.folder.record_files()}
        damaged += [
            f"left out: {files[name]} is the record of no unit of this run"
            for name in sorted(files.keys() - set(part.units))
        ]
        for unit, key in part.units.items():
            if unit not in files:
                continue
            try:
                record = _checked(read_header(files[unit]), files[unit], unit, key)
            except ValueError as error:
                damaged.append(f"left out: {error}")
                continue
            agreement.check(part.label, part.names, record, timed)
            heads.append(_head(number, files[unit], record))
    return heads, damaged


def _checked(record: Record, file: Path, unit: str, key: str) -> Record:
    if record.unit != unit:
        raise ValueError(f"{file} is the record of another unit, {record.unit!r}")
    if record.key != key:
        raise ValueError(f"{file} is of other settings, code or data than this run")
    return record


def _head(number: int, file: Path, record: Record) -> Head:
    prompt = digest({name: record.key_fields.get(name) for name in OF_PROMPT})
    sample = record.sample
    effect = sample.get("context_effect")
    return Head(number, file, record.unit, record.key, prompt, record.failed, sample["seconds"], effect)


def _units(parts: Sequence[Part], heads: Sequence[Head]) -> list[JoinedUnit]:
    """A unit for each prompt; the second prompt of an id is called ID~2.

    A unit without a record is one of its own only if no run has a record of that id: nobody knows whether it is the same prompt.
    """
    prompts = {head.key: head.prompt for head in heads}
    of_prompt: dict[tuple[str, str], list[Head]] = {}
    for head in heads:
        of_prompt.setdefault((head.unit, head.prompt), []).append(head)
    with_record = {unit for unit, _ in of_prompt}
    known = {unit for part in parts for unit in part.units}
    counts: dict[str, int] = {}
    found: dict[tuple[str, str], JoinedUnit] = {}
    for part in parts:
        for unit, key in part.units.items():
            prompt = (unit, prompts.get(key, ""))
            if prompt in found or (key not in prompts and unit in with_record):
                continue
            counts[unit] = counts.get(unit, 0) + 1
            name = unit
            while counts[unit] > 1 and (name := f"{unit}~{counts[unit]}") in known:
                counts[unit] += 1
            found[prompt] = JoinedUnit(name, key, tuple(of_prompt.get(prompt, ())))
    return list(found.values())


def _missing(parts: Sequence[Part], heads: Sequence[Head]) -> list[str]:
    """Units without a record in any part; one line for parts that lack the same."""
    there = {head.key for head in heads}
    lacking: dict[tuple[str, ...], list[Part]] = {}
    for part in parts:
        without = tuple(key for key in part.units.values() if key not in there)
        if without:
            lacking.setdefault(without, []).append(part)
    lines = []
    for keys, whose in lacking.items():
        names = [unit for unit, key in whose[0].units.items() if key in set(keys)]
        folders = " and ".join(part.label for part in whose)
        lines.append(f"{len(names)} of {len(whose[0].units)} units of {folders} have no record: {listed(names)}")
    return lines


def _failed(parts: Sequence[Part], heads: Sequence[Head]) -> list[str]:
    """Failed units that no sound record of the same key replaces, a line a part."""
    sound = {head.key for head in heads if not head.failed}
    lines = []
    for number, part in enumerate(parts):
        failed = [head.unit for head in heads if head.part == number and head.failed and head.key not in sound]
        if failed:
            lines.append(
                f"{len(failed)} of {len(part.units)} units of {part.label} failed, wholly or in part: {listed(failed)}"
            )
    return lines
