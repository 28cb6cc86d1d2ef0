"""One record of a prompt from several: each contestant's values once, under its joined name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from tokenrank.records.digests import digest
from tokenrank.records.record import Record
from tokenrank.records.schema import MEASURED, concatenated

Who = tuple[str, float]  # contestant, keep rate (0 where it has none)
CHANCE = "chance"
TIMES = (
    "prefill_seconds",
    "prefill_ratio",
    "choosing_share",
    "decode_tokens_per_second",
    "peak_bytes",
)  # metrics that differ whenever they are measured; fmt: skip
FACTS = (
    "tokens",
    "cut_tokens",
    "needle_start",
    "needle_tokens",
    "depth",
    "answer_tokens",
    "answer",
    "accuracy",
)  # of a sample
SUMMED = ("metrics_seconds", "seconds")
ROWS = ["layer", "other_layer", "metric", "k"]


@dataclass
class Merged:
    """The record of a prompt, and what of its parts is not in it."""

    record: Record
    left_out: dict[int, str] = field(default_factory=dict)  # part -> the fact in which its sample differs
    other_values: dict[tuple[str, int], int] = field(
        default_factory=dict
    )  # (contestant, part) -> the part that is kept


@dataclass(frozen=True)
class Contribution:
    """A record of the prompt and the joined names of its contestants."""

    part: int
    record: Record
    names: Mapping[str, str]


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
    found.record = first.record
    rows, runs = _named_rows(first), _named_runs(first)
    if len(chosen) > 1:
        rows, runs = _of_all(chosen, order, found)
        fields = {"joined": [each.record.key_fields for each in chosen]}
        sample = _sample(first, chosen) | {"key": digest(fields)}
        found.record = replace(first.record, key=digest(fields), key_fields=fields, sample=sample)
    found.record = replace(
        found.record,
        unit=unit,
        number=number,
        sample={**found.record.sample, "id": unit},
        rows=rows.assign(sample=unit).astype(dict(MEASURED)),
        runs=[{**run, "sample": unit} for run in runs],
    )
    return found


def contestants_of(record: Record) -> set[Who]:
    """Who has values in the record."""
    named = record.rows[["engine", "heuristic", "keep"]].drop_duplicates().to_dict("records")
    return {_who(row) for row in named}


def _one_of_each_key(given: Sequence[Contribution], found: Merged) -> list[Contribution]:
    """The first sound record of each key, else the first; others of that key whose values differ are noted."""
    by_key: dict[str, list[Contribution]] = {}
    for each in given:
        by_key.setdefault(each.record.key, []).append(each)
    chosen = []
    for same in by_key.values():
        best = next((each for each in same if not each.record.failed), same[0])
        chosen.append(best)
        sound = [each for each in same if not each.record.failed and each is not best]
        for other in sound:
            frames = _frames(other)
            for who, kept in _frames(best).items():
                _note_difference(who, kept, best.part, frames.get(who, kept.head(0)), other.part, found)
    return chosen


def _agrees(first: Contribution, other: Contribution, found: Merged) -> bool:
    """Whether two sound samples state the same facts; a failed one has none."""
    if other.record.failed and not other.record.rows.shape[0]:
        return True
    for name in FACTS:
        one, another = first.record.sample.get(name), other.record.sample.get(name)
        if one != another and name in first.record.sample and name in other.record.sample:
            found.left_out[other.part] = name
            return False
    return True


def _of_all(
    chosen: Sequence[Contribution], order: Sequence[str], found: Merged
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Rows and runs of every contestant, from the first record that measured it, else from the first in which it failed."""
    rows: dict[Who, pd.DataFrame] = {}
    runs: dict[Who, list[dict[str, Any]]] = {}
    origin: dict[Who, int] = {}
    for each in chosen:
        frames, own = _frames(each), _runs(each)
        for who, frame in frames.items():
            if who in rows:
                _note_difference(who, rows[who], origin[who], frame, each.part, found)
        for who in dict.fromkeys([*frames, *own]):
            if who in rows or (who in runs and who not in frames):
                continue
            runs[who] = own.get(who, [])
            if who in frames:
                rows[who], origin[who] = frames[who], each.part
    places = {name: place for place, name in enumerate(order)}
    measured = concatenated([rows[who] for who in sorted(rows, key=lambda who: _place(who, places))], MEASURED)
    return measured, [run for who in sorted(runs, key=lambda who: _place(who, places)) for run in runs[who]]


def _named_rows(each: Contribution) -> pd.DataFrame:
    """The measured rows under joined names."""
    rows = each.record.rows
    return rows.assign(heuristic=rows["heuristic"].map(lambda name: each.names.get(name, name))).astype(dict(MEASURED))


def _named_runs(each: Contribution) -> list[dict[str, Any]]:
    """The runs under joined names."""
    return [{**run, "heuristic": each.names.get(run["heuristic"], run["heuristic"])} for run in each.record.runs]


def _frames(each: Contribution) -> dict[Who, pd.DataFrame]:
    """The measured rows of each contestant, in their order."""
    whose = ["engine", "heuristic", "keep"]
    groups = _named_rows(each).groupby(whose, sort=False, dropna=False)
    return {_who(dict(zip(whose, names, strict=True))): frame for names, frame in groups}


def _runs(each: Contribution) -> dict[Who, list[dict[str, Any]]]:
    """The runs of each contestant, in their order."""
    found: dict[Who, list[dict[str, Any]]] = {}
    for run in _named_runs(each):
        found.setdefault(_who(run), []).append(run)
    return found


def _who(row: Mapping[Any, Any]) -> Who:
    """A row's contestant and keep rate; rows of neither heuristic nor engine are chance levels."""
    named = [row.get("heuristic"), row.get("engine")]
    name = next((str(each) for each in named if not pd.isna(each)), CHANCE)
    keep = row.get("keep")
    return name, 0.0 if pd.isna(keep) else float(keep)


def _place(who: Who, places: Mapping[str, int]) -> tuple[float, int]:
    """Chance and the full prefill first; then by keep rate, and contestants in their order."""
    name, keep = who
    return (keep, places[name]) if name in places else (-1.0, 0)


def _note_difference(who: Who, kept: pd.DataFrame, origin: int, other: pd.DataFrame, part: int, found: Merged) -> None:
    """Notes a contestant that has other values in another record than in the one that is kept."""
    if not _values(kept).equals(_values(other)):
        found.other_values[who[0], part] = origin


def _values(frame: pd.DataFrame) -> pd.DataFrame:
    compared = frame[~frame["metric"].isin(TIMES)]
    return compared[[*ROWS, "value"]].reset_index(drop=True)


def _sample(first: Contribution, chosen: Sequence[Contribution]) -> dict[str, Any]:
    """The row of samples.parquet for several records: facts of the first, seconds of all, and every error."""
    samples = [each.record.sample for each in chosen]
    errors = list(dict.fromkeys(sample["error"] for sample in samples if sample.get("error")))
    joined = dict(first.record.sample) | {
        "status": "failed" if errors else "ok",
        "host": ", ".join(dict.fromkeys(sample["host"] for sample in samples)),
        "device": ", ".join(dict.fromkeys(sample["device"] for sample in samples)),
    }
    for name in SUMMED:
        if name in joined:
            joined[name] = sum(sample.get(name) or 0.0 for sample in samples)
    return joined | ({"error": "; ".join(errors)} if errors else {})
