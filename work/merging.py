"""One record of a prompt from several: each contestant's values once, under its joined name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from tokenrank.records.digests import digest
from tokenrank.records.record import Record, measured_table
from tokenrank.records.schema import WHICH_TRUTH
from tokenrank.work.contestant_values import Who, coded, groups, mapped, same_rows, untimed, who_of

FACTS = (
    "tokens",
    "cut_tokens",
    "needle_start",
    "needle_tokens",
    "evidence",
    "depth",
    "context_start",
    "context_tokens",
    "question_start",
    "question_tokens",
    "answer_tokens",
    "answer",
    "accuracy",
)  # of a sample
SUMMED = ("metrics_seconds", "seconds")


@dataclass
class Merged:
    """The record of a prompt, and what of its parts is not in it."""

    record: Record
    parts: list[int] = field(default_factory=list)  # of which it is made
    left_out: dict[int, str] = field(default_factory=dict)  # part -> the fact in which its sample differs
    other_values: dict[tuple[str, int], int] = field(
        default_factory=dict
    )  # (contestant, part) -> the part that is kept


@dataclass(frozen=True)
class Contribution:
    """A record of the prompt and the joined names of its contestants and their engines."""

    part: int
    record: Record
    names: Mapping[str, str]
    engines: Mapping[str, str]

    def measured(self) -> pa.Table:
        """The measured values under joined names."""
        rows = mapped(self.record.measured, "heuristic", lambda name: self.names.get(name, name))
        return mapped(rows, "engine", lambda name: self.engines.get(name, name))

    def runs(self) -> list[dict[str, Any]]:
        """The runs under joined names."""
        return [
            {
                **run,
                "heuristic": self.names.get(run["heuristic"], run["heuristic"]),
                "engine": self.engines.get(run["engine"], run["engine"]),
            }
            for run in self.record.runs
        ]


def merged(unit: str, number: int, given: Sequence[Contribution], order: Sequence[str]) -> Merged:
    """The record of one prompt.

    Of records with one key the first sound one is taken. Where a contestant was measured more than once, the first is kept.

    Args:
        unit: joined name of the prompt.
        number: its place in the joined folder.
        given: at least one, in the order of the parts.
        order: joined names of the contestants in the order of the tables.
    """
    found = Merged(given[0].record)
    chosen = _one_of_each_key(given, found)
    first = next((each for each in chosen if not each.record.failed), chosen[0])
    chosen = [each for each in chosen if each is first or _agrees(first, each, found)]
    record, measured, runs = first.record, first.measured(), first.runs()
    if len(chosen) > 1:
        measured, runs = _of_all(chosen, order, found)
        fields = {"joined": [each.record.key_fields for each in chosen]}
        sample = _sample(first, chosen) | {"key": digest(fields)}
        record = replace(record, key=digest(fields), key_fields=fields, sample=sample)
    found.parts = [each.part for each in chosen]
    found.record = replace(
        record,
        unit=unit,
        number=number,
        sample={**record.sample, "id": unit},
        measured=mapped(measured, "sample", lambda _: unit),
        runs=[{**run, "sample": unit} for run in runs],
    )
    return found


def _one_of_each_key(given: Sequence[Contribution], found: Merged) -> list[Contribution]:
    """The first sound record of each key, else the first; contestants that have other values in another one are noted."""
    by_key: dict[str, list[Contribution]] = {}
    for each in given:
        by_key.setdefault(each.record.key, []).append(each)
    chosen = []
    for same in by_key.values():
        best = next((each for each in same if not each.record.failed), same[0])
        chosen.append(best)
        for other in same:
            if other is not best and not other.record.failed:
                values_of = groups(other.measured())
                for who, kept in groups(best.measured()).items():
                    _note_difference(who, kept, best.part, values_of.get(who, measured_table([])), other.part, found)
    return chosen


def _agrees(first: Contribution, other: Contribution, found: Merged) -> bool:
    """Whether two samples state the same facts; one that failed wholly has none."""
    if not other.record.measured.num_rows:
        return True
    for name in FACTS:
        one, another = first.record.sample.get(name), other.record.sample.get(name)
        if one != another and name in first.record.sample and name in other.record.sample:
            found.left_out[other.part] = name
            return False
    return True


def _of_all(
    chosen: Sequence[Contribution], order: Sequence[str], found: Merged
) -> tuple[pa.Table, list[dict[str, Any]]]:
    """Values and runs of every contestant, from the first record that measured it, else from the first in which it failed."""
    values: dict[Who, pa.Table] = {}
    runs: dict[Who, list[dict[str, Any]]] = {}
    origin: dict[Who, int] = {}
    for each in chosen:
        values_of, own = groups(each.measured()), _runs(each)
        for who, group in values_of.items():
            if who in values:
                _note_difference(who, values[who], origin[who], group, each.part, found)
        for who in dict.fromkeys([*values_of, *own]):
            if who in values or (who in runs and who not in values_of):
                continue
            runs[who] = own.get(who, [])
            if who in values_of:
                values[who], origin[who] = values_of[who], each.part
    places = {name: place for place, name in enumerate(order)}
    ordered = [values[who] for who in sorted(values, key=lambda who: _place(who, places))]
    return coded(pa.concat_tables([measured_table([]), *ordered])), [
        run for who in sorted(runs, key=lambda who: _place(who, places)) for run in runs[who]
    ]


def _runs(each: Contribution) -> dict[Who, list[dict[str, Any]]]:
    """The runs of each contestant, in their order."""
    found: dict[Who, list[dict[str, Any]]] = {}
    for run in each.runs():
        found.setdefault(who_of(run), []).append(run)
    return found


def _place(who: Who, places: Mapping[str, int]) -> tuple[float, int]:
    """Chance and the full prefill first; then by keep rate, and contestants in their order; rankings of further truths behind ``oracle``."""
    name, keep = who[0].partition(WHICH_TRUTH)[0], who[1]
    return (keep, places[name]) if name in places else (-1.0, 0)


def _note_difference(who: Who, kept: pa.Table, origin: int, other: pa.Table, part: int, found: Merged) -> None:
    """Notes a contestant that has other values in another record than in the one that is kept."""
    if not same_rows(untimed(kept), untimed(other)):
        found.other_values[who[0], part] = origin


def _sample(first: Contribution, chosen: Sequence[Contribution]) -> dict[str, Any]:
    """The row of samples.parquet for several records: facts of the first, seconds of all, and every error."""
    samples = [each.record.sample for each in chosen]
    errors = list(dict.fromkeys(sample["error"] for sample in samples if sample.get("error")))
    joined = dict(first.record.sample) | {
        "status": "failed" if errors else "ok",
    }
    for name in ("host", "device"):  # a prompt whose processes died has no device
        joined[name] = ", ".join(dict.fromkeys(sample[name] for sample in samples if sample[name])) or None
    for name in SUMMED:
        if name in joined:
            joined[name] = sum(sample.get(name) or 0.0 for sample in samples)
    return joined | ({"error": "; ".join(errors)} if errors else {})
