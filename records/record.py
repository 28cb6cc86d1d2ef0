"""The record of one unit of work: a parquet file of measured values, with everything else as JSON in its header."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow
import pyarrow.parquet

from tokenrank.records.files import whole_file
from tokenrank.records.schema import MEASURED, concatenated

HEADER, DIGEST = b"tokenrank", b"tokenrank.sha256"  # entries of the file's schema


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
    rows: pd.DataFrame = field(default_factory=lambda: concatenated([], MEASURED))  # values, columns of MEASURED

    @property
    def failed(self) -> bool:
        """Whether the unit, or one of its contestants or metrics, failed; then some of its values are missing."""
        return bool(self.sample["status"] != "ok")


def header(record: Record) -> bytes:
    """All of a record but its rows, as JSON.

    Raises:
        ValueError: a value is NaN or infinite.
        TypeError: a value is of a type that JSON does not know.
    """
    content = {name: value for name, value in vars(record).items() if name != "rows"}
    return json.dumps(content, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass")


def write_record(path: Path, record: Record) -> None:
    """Writes the record whole, or not at all; the same record gives the same bytes."""
    written = header(record)
    measured = pyarrow.Table.from_pandas(concatenated([record.rows], MEASURED), preserve_index=False)
    own = {HEADER: written, DIGEST: _digest(written, measured)}
    with whole_file(path) as temporary:
        pyarrow.parquet.write_table(measured.replace_schema_metadata(measured.schema.metadata | own), temporary)


def read_record(path: Path) -> Record:
    """The record of a file.

    Raises:
        ValueError: the file is no record, or its content is not what was written.
    """
    try:
        found = pyarrow.parquet.read_table(path)
        metadata = found.schema.metadata or {}
        if _digest(metadata[HEADER], found) != metadata[DIGEST]:
            raise ValueError("its SHA-256 is another one")
        content = json.loads(metadata[HEADER].decode("utf-8", "surrogatepass"))
        plain = found.replace_schema_metadata(None).to_pandas()  # pandas' own entry is not covered by the digest
        return Record(rows=concatenated([plain], MEASURED), **content)
    except Exception as error:  # a damaged file can be wrong in as many ways as parquet has
        raise ValueError(f"{path} is not a record that can be read ({type(error).__name__}: {error})") from error


def _digest(written: bytes, rows: pyarrow.Table) -> bytes:
    """SHA-256 of the header and of the rows' values, column by column, in hexadecimal digits."""
    total = hashlib.sha256(written)
    for name in rows.column_names:
        total.update(json.dumps([name, rows[name].to_pylist()]).encode())
    return total.hexdigest().encode()
