"""How summary.parquet is computed from the records of a run, which are read one by one."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from tokenrank.records.record import Record, measured_table
from tokenrank.records.schema import MEASURED, RUNS, SUMMARY, arrow_schema, frame, table

LARGE = ("kept", "answer")  # columns of the runs that are not kept in memory


class Summary(ABC):
    """Keeps of every record only what the rows of summary.parquet need."""

    @abstractmethod
    def add(self, record: Record) -> None:
        """Takes the next record, in the order of the plan."""

    @abstractmethod
    def tables(self) -> Iterator[pa.Table]:
        """The rows of summary.parquet, in parts, as ``summary_table`` makes them. The same records give the same rows."""


@dataclass(frozen=True)
class SummaryOfRows(Summary):
    """Keeps all measured values and runs, and hands them to a function of tables at the end."""

    summarize: Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]  # (as MEASURED, as RUNS) -> as SUMMARY
    _measured: list[pa.Table] = field(default_factory=list)
    _runs: list[dict[str, Any]] = field(default_factory=list)

    def add(self, record: Record) -> None:
        """Takes all rows, and the runs without their kept tokens and answers."""
        self._measured.append(record.measured)
        self._runs.extend({name: value for name, value in run.items() if name not in LARGE} for run in record.runs)

    def tables(self) -> Iterator[pa.Table]:
        """One table."""
        rows = pa.concat_tables(self._measured or [measured_table([])])
        made = self.summarize(frame(rows, MEASURED), table(self._runs, RUNS))
        plain = pa.Table.from_pandas(made[list(SUMMARY)], arrow_schema(SUMMARY), preserve_index=False)
        yield plain.cast(arrow_schema(SUMMARY, coded=True)).replace_schema_metadata(None)


def summary_table(rows: int, **columns: pa.Array) -> pa.Table:
    """Rows of summary.parquet; columns that are not given are null.

    Args:
        rows: their number.
        columns: (rows,) each.
    """
    schema = arrow_schema(SUMMARY, coded=True)
    return pa.table([columns.get(each.name, pa.nulls(rows, each.type)) for each in schema], schema=schema)


def coded(codes: "np.typing.NDArray[np.integer[Any]]", entries: Sequence[str | None]) -> pa.Array:
    """A column of texts by the numbers of their entries; null where the entry is None."""
    absent = np.array(
        [each is None for each in entries]
    )  # tables with null entries cannot be joined, those with null codes can
    found = pa.array(codes, pa.int32(), mask=absent[codes] if absent.any() else None)
    return pa.DictionaryArray.from_arrays(found, pa.array([each or "" for each in entries], pa.string()))
