"""Size of the tables of many prompts, from the records of one or two."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from tokenrank.evaluation.evaluation import Evaluation
from tokenrank.records.record import Record
from tokenrank.records.run_folder import RunFolder
from tokenrank.work.collecting import collect
from tokenrank.work.growth import straight_line

FEW, MORE = 4, 8  # prompts; from three on there are all kinds of rows
OF_TEXTS = ("samples", "runs")  # tables whose rows grow with the prompt


def metric_rows(record: Record) -> int:
    """Rows that a record has in metrics.parquet: its values of single layers."""
    return int(record.measured["other_layer"].null_count)


def table_bytes(evaluation: Evaluation, records: Sequence[Record], lengths: Sequence[int]) -> float:
    """Bytes of the four tables of prompts of these lengths.

    Tables of FEW and of MORE copies of the records, with values in another order, say how metrics and summary grow with the number
    of prompts. Rows of samples and runs hold texts and token numbers, which grow with the prompts' tokens: by as much for each as
    the shortest record adds to the others, because prompts may share texts.
    """
    ordered = sorted(records, key=lambda record: -int(record.sample["tokens"]))
    few, more, without, own = (
        _sizes(evaluation, copies(ordered, count)) for count in (FEW, MORE, len(ordered) - 1, len(ordered))
    )
    tokens = [int(record.sample["tokens"]) for record in ordered]
    others = (sum(lengths) - sum(tokens)) / tokens[-1]
    found = 0.0
    for name, size in own.items():
        if name in OF_TEXTS:
            found += size + others * (size - without[name])
        else:
            found += straight_line([(FEW, few[name]), (MORE, more[name])])(len(lengths))
    return found


def copies(records: Sequence[Record], count: int) -> list[Record]:
    """So many records of prompts of other names; from the first repetition on the values of each metric are in another order."""
    return [_copy(records[number % len(records)], number, number >= len(records)) for number in range(count)]


def _copy(record: Record, number: int, mixed: bool) -> Record:
    name, rows = f"{record.unit}~{number}", record.measured
    places = np.arange(rows.num_rows)
    if mixed:
        metrics, random = np.asarray(rows["metric"].to_pylist(), dtype=object), np.random.default_rng(number)
        for metric in dict.fromkeys(metrics):
            own = metrics == metric
            places[own] = random.permutation(places[own])
    columns = {each: rows[each] for each in rows.column_names}
    columns["value"] = rows["value"].take(pa.array(places))
    columns["sample"] = pa.array([name] * rows.num_rows, pa.string()).cast(rows.schema.field("sample").type)
    return replace(
        record,
        unit=name,
        number=number,
        sample={**record.sample, "id": name},
        runs=[{**run, "sample": name} for run in record.runs],
        measured=pa.table(columns, schema=rows.schema),
    )


def _sizes(evaluation: Evaluation, records: Sequence[Record]) -> dict[str, int]:
    """Bytes of each table of these records."""
    with TemporaryDirectory(prefix="tokenrank_") as temporary:
        folder = RunFolder(Path(temporary))
        folder.begin({}, {record.unit: record.key for record in records}, "")
        for record in records:
            folder.write_record(record)
        collect(folder, evaluation)
        return {
            name: (folder.path / f"{name}.parquet").stat().st_size for name in ("metrics", "summary", "samples", "runs")
        }
