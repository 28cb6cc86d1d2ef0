"""One record of a prompt from several: each contestant's values once, under its joined name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from tokenrank.records.digests import digest
from tokenrank.records.record import Record, measured_table
from tokenrank.records.schema import MEASURED, arrow_schema, frame

Who = tuple[str, float]  # contestant, keep rate (0 where it has none)
CHANCE = "chance"
WHOSE = ["engine", "heuristic", "keep"]
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

    def measured(self) -> pa.Table:
        """The measured values under joined names."""
        return _mapped(self.record.measured, "heuristic", lambda name: self.names.get(name, name))

    def runs(self) -> list[dict[str, Any]]:
        """The runs under joined names."""
        return [{**run, "heuristic": self.names.get(run["heuristic"], run["heuristic"])} for run in self.record.runs]


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
    found.record = replace(
        record,
        unit=unit,
        number=number,
        sample={**record.sample, "id": unit},
        measured=_mapped(measured, "sample", lambda _: unit),
        runs=[{**run, "sample": unit} for run in runs],
    )
    return found


def contestants_of(record: Record) -> set[Who]:
    """Who has values in the record."""
    return set(_groups(record.measured))


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
                groups = _groups(other.measured())
                for who, kept in _groups(best.measured()).items():
                    _note_difference(who, kept, best.part, groups.get(who, measured_table([])), other.part, found)
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
        groups, own = _groups(each.measured()), _runs(each)
        for who, group in groups.items():
            if who in values:
                _note_difference(who, values[who], origin[who], group, each.part, found)
        for who in dict.fromkeys([*groups, *own]):
            if who in values or (who in runs and who not in groups):
                continue
            runs[who] = own.get(who, [])
            if who in groups:
                values[who], origin[who] = groups[who], each.part
    places = {name: place for place, name in enumerate(order)}
    ordered = [values[who] for who in sorted(values, key=lambda who: _place(who, places))]
    return _plain(pa.concat_tables([measured_table([]), *ordered])), [
        run for who in sorted(runs, key=lambda who: _place(who, places)) for run in runs[who]
    ]


def _groups(measured: pa.Table) -> dict[Who, pa.Table]:
    """The values of each contestant, in their order."""
    named = measured.select(WHOSE).to_pandas().astype({"engine": "object", "heuristic": "object", "keep": "float64"})
    numbers = named.groupby(WHOSE, sort=False, dropna=False).ngroup().to_numpy()
    found = {}
    for number in dict.fromkeys(numbers.tolist()):
        places = np.flatnonzero(numbers == number)
        found[_who(named.iloc[places[0]])] = measured.take(places)
    return found


def _runs(each: Contribution) -> dict[Who, list[dict[str, Any]]]:
    """The runs of each contestant, in their order."""
    found: dict[Who, list[dict[str, Any]]] = {}
    for run in each.runs():
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


def _note_difference(who: Who, kept: pa.Table, origin: int, other: pa.Table, part: int, found: Merged) -> None:
    """Notes a contestant that has other values in another record than in the one that is kept."""
    if not _values(kept).equals(_values(other)):
        found.other_values[who[0], part] = origin


def _values(measured: pa.Table) -> pd.DataFrame:
    rows = frame(measured, MEASURED)
    compared = rows[~rows["metric"].isin(TIMES)]
    return compared[["layer", "other_layer", "metric", "k", "value"]].reset_index(drop=True)


def _mapped(measured: pa.Table, column: str, name: Callable[[str], str]) -> pa.Table:
    """The table with other names in a column of texts."""
    place, kind = measured.schema.get_field_index(column), measured.schema.field(column)
    chunks = [
        pa.DictionaryArray.from_arrays(chunk.indices, pa.array(map(name, chunk.dictionary.to_pylist()), pa.string()))
        for chunk in measured.column(place).chunks
    ]
    return _plain(measured.set_column(place, kind, pa.chunked_array(chunks, kind.type)))


def _plain(measured: pa.Table) -> pa.Table:
    """The table with its texts coded in the order in which they first appear."""
    return measured.cast(arrow_schema(MEASURED)).cast(arrow_schema(MEASURED, coded=True))


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
