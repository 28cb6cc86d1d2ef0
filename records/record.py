"""The record of one unit of work: a parquet file of measured values, with everything else as JSON in its header."""

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

HEADER = b"tokenrank"


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
        """Whether the unit, or one of its contestants, failed; then some of its values are missing."""
        return bool(self.sample["status"] != "ok")


def write_record(path: Path, record: Record) -> None:
    """Writes the record whole, or not at all; the same record gives the same bytes."""
    header = {name: value for name, value in vars(record).items() if name != "rows"}
    measured = pyarrow.Table.from_pandas(concatenated([record.rows], MEASURED), preserve_index=False)
    own = {HEADER: json.dumps(header, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass")}
    with whole_file(path) as temporary:
        pyarrow.parquet.write_table(measured.replace_schema_metadata(measured.schema.metadata | own), temporary)


def read_record(path: Path) -> Record:
    """The record of a file.

    Raises:
        ValueError: the file is no record, or is damaged.
    """
    try:
        found = pyarrow.parquet.read_table(path)
        header = json.loads((found.schema.metadata or {})[HEADER].decode("utf-8", "surrogatepass"))
        return Record(rows=found.to_pandas(), **header)
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise ValueError(f"{path} is not a record that can be read ({type(error).__name__}: {error})") from error
