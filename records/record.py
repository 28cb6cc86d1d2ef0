"""The record of one unit of work: a parquet file of measured values, with everything else as JSON in its metadata."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tokenrank.records.schema import ADDED, MEASURED, REPEATED, arrow_schema, arrow_table, completed, frame
from tokenrank.records.sealed import check_seal, sealed_file

HEADER = b"tokenrank"  # entry of the file's metadata


@dataclass(frozen=True)
class Record:
    """The outcome of one unit. It is complete in itself: tables and plots can be made from some of a run's records."""

    unit: str  # name of the unit, and of the record's file
    number: int  # place of the unit in the plan, from 0
    key: str  # SHA-256 of what decided the result
    key_fields: Mapping[str, Any]  # the same, readable
    sample: Mapping[str, Any]  # row of samples.parquet
    layers: Mapping[str, Any]  # numbers of the model's layers: captured, windowed, of
    runs: Sequence[Mapping[str, Any]] = ()  # rows of runs.parquet, with the kept tokens of every contestant
    measured: pa.Table = field(default_factory=lambda: measured_table([]))  # values, columns of MEASURED

    @property
    def rows(self) -> pd.DataFrame:
        """The measured values."""
        return frame(self.measured, MEASURED)

    @property
    def failed(self) -> bool:
        """Whether the unit, or one of its contestants or metrics, failed; then some of its values are missing."""
        return bool(self.sample["status"] != "ok")


def measured_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Measured values as a record holds them; texts are numbers of entries of a dictionary, as few of them differ."""
    return arrow_table(rows, MEASURED, coded=True)


def header(record: Record) -> bytes:
    """All of a record but its measured values, as JSON.

    Raises:
        ValueError: a value is NaN or infinite.
        TypeError: a value is of a type that JSON does not know.
    """
    content = {name: value for name, value in vars(record).items() if name != "measured"}
    return json.dumps(content, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass")


def write_record(path: Path, record: Record) -> None:
    """Writes the record whole, or not at all; the same record gives the same bytes."""
    written = header(record)
    with sealed_file(path, arrow_schema(MEASURED, coded=True), {HEADER: written}) as file:
        file.write_table(record.measured)


def read_record(path: Path) -> Record:
    """The record of a file.

    Raises:
        ValueError: the file is no record, or its content is not what was written.
    """
    with _opened(path) as (file, content):
        measured = completed(file.read(use_threads=False), arrow_schema(MEASURED, coded=True))
        return Record(measured=measured, **content)


def read_header(path: Path) -> Record:
    """The record of a file without its measured values, which takes less time and memory.

    Raises:
        ValueError: as ``read_record``.
    """
    with _opened(path) as (_, content):
        return Record(**content)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[pq.ParquetFile, dict[str, Any]]]:
    """The checked file, and what stands in its header."""
    try:
        written = BytesIO(path.read_bytes())
        check_seal(written)
        with pq.ParquetFile(
            written, read_dictionary=[name for name in REPEATED if name in MEASURED and name not in ADDED]
        ) as file:
            yield file, json.loads(file.metadata.metadata[HEADER].decode("utf-8", "surrogatepass"))
    except Exception as error:  # a damaged file can be wrong in as many ways as parquet has
        raise ValueError(f"{path} is not a record that can be read ({type(error).__name__}: {error})") from error
