"""The four tables of a run folder: written row group by row group, read with their bytes and columns checked."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tokenrank.records.schema import (
    ADDED,
    METRICS,
    REPEATED,
    RUNS,
    SAMPLES,
    SUMMARY,
    Columns,
    arrow_schema,
    completed,
    frame,
    pandas_metadata,
)
from tokenrank.records.sealed import check_seal, sealed_file

SCHEMAS: dict[str, Columns] = {"metrics": METRICS, "summary": SUMMARY, "samples": SAMPLES, "runs": RUNS}
CODED = ("metrics", "summary")  # tables of many rows, whose texts repeat
AT_ONCE = 64 * 2**20  # bytes of rows that become a row group

Filter = Callable[[pa.Table], pa.Table]  # some of the rows of a row group


@dataclass(frozen=True)
class Tables:
    """The four tables that are computed from the records, each as in its file."""

    metrics: pd.DataFrame
    summary: pd.DataFrame
    samples: pd.DataFrame
    runs: pd.DataFrame

    def of_metric(self, metric: str, k: float) -> pd.DataFrame:
        """Rows of ``metrics`` of one metric, at ``k`` percent if it has a k."""
        rows = self.metrics
        return rows[(rows["metric"] == metric) & (rows["k"].isna() | (rows["k"] == k))]

    @property
    def first_truth(self) -> str | None:
        """The truth that ``oracle`` is the ranking of; None where no value is against one."""
        return next(iter(self.summary["truth"].dropna()), None)

    @property
    def other_truth(self) -> str | None:
        """The truth that values are against, where it is another than the run's first; None: they are against the first, or all."""
        return None

    @property
    def chosen(self) -> str:
        """``context_effect >= 0.2``: by what the prompts were chosen of those that were measured; empty: these are all."""
        return ""

    def compared(self) -> pd.DataFrame:
        """Rows of ``summary`` with the comparisons that the run was made for; those of another truth than its first are exploratory."""
        return declared(self.summary)

    def means_against_all(self) -> pd.DataFrame:
        """Rows of ``summary`` that are means over prompts of means over layers, whatever truth they are against."""
        rows = self.summary
        over = rows["sample"].isna() & rows["task"].isna() & rows["against"].isna() & rows["other_layer"].isna()
        return rows[over & (rows["statistic"] == "mean") & ~rows["windowed"].fillna(False).astype(bool)]


def declared(summary: pd.DataFrame) -> pd.DataFrame:
    """Rows of the comparisons that were declared, before the run, against its first truth; the others are exploratory."""
    return summary[summary["against"].notna() & (summary["exploratory"] == False).fillna(False)]  # noqa: E712


def table_schema(name: str) -> pa.Schema:
    """The Arrow types of a table."""
    return arrow_schema(SCHEMAS[name], coded=name in CODED)


@contextmanager
def table_writer(folder: Path, name: str) -> Iterator[Callable[[pa.Table], None]]:
    """A function that takes the next rows; the file appears whole when the block ends without error.

    Args:
        folder: of the file.
        name: of the table; its rows are as ``table_schema``.
    """
    waiting: list[pa.Table] = []
    size, schema = 0, table_schema(name)
    with sealed_file(folder / f"{name}.parquet", schema, pandas_metadata(SCHEMAS[name])) as file:

        def write() -> None:
            nonlocal size
            rows = pa.concat_tables(waiting).unify_dictionaries()
            file.write_table(rows, row_group_size=max(1, rows.num_rows))
            waiting.clear()
            size = 0

        def add(rows: pa.Table) -> None:
            nonlocal size
            waiting.append(rows.cast(schema))
            size += rows.nbytes
            if size >= AT_ONCE:
                write()

        yield add
        if waiting:
            write()


def write_tables(folder: Path, tables: Tables) -> None:
    """Writes the four tables, each whole."""
    for name, content in vars(tables).items():
        columns = SCHEMAS[name]
        rows = pa.Table.from_pandas(content[list(columns)], arrow_schema(columns), preserve_index=False)
        with table_writer(folder, name) as add:
            add(rows.replace_schema_metadata(None))


def read_tables(folder: Path, chosen: Mapping[str, Filter] | None = None) -> Tables:
    """The four tables of a folder, or some of their rows.

    Args:
        folder: a run folder.
        chosen: by name of the table, which of its rows; None, or no entry: all.

    Raises:
        ValueError: one is missing, is not what was written, or lacks a column.
    """
    for name in SCHEMAS:
        check_table(folder, name)
    return Tables(**{name: read_rows(folder, name, (chosen or {}).get(name)) for name in SCHEMAS})


def check_table(folder: Path, name: str) -> None:
    """Reads all bytes of a table.

    Raises:
        ValueError: it is missing, is not what was written, or lacks a column.
    """
    path = folder / f"{name}.parquet"
    if not path.is_file():
        raise ValueError(f"{folder} has no {path.name}: collect its records first (python -m tokenrank.collect)")
    try:
        with path.open("rb") as file:
            check_seal(file)
        columns = pq.read_schema(path).names
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}; collect its records again") from error
    missing = [column for column in SCHEMAS[name] if column not in (*columns, *ADDED)]
    if missing:
        raise ValueError(f"{path} lacks the column {missing[0]!r}")


def read_rows(folder: Path, name: str, chosen: Filter | None = None, without: Collection[str] = ()) -> pd.DataFrame:
    """Rows of a table whose file was checked; only one row group and the chosen rows are in memory.

    Args:
        folder: of the file.
        name: of the table.
        chosen: which of the rows; None: all.
        without: columns that are not read; they are null.
    """
    columns = [each for each in SCHEMAS[name] if each not in without]
    parts = [chosen(rows) if chosen else rows for rows in row_groups(folder, name, columns)]
    found = pa.concat_tables(parts) if parts else table_schema(name).empty_table().select(columns)
    for each in without:
        found = found.append_column(each, pa.nulls(len(found), table_schema(name).field(each).type))
    return frame(found, SCHEMAS[name])


def row_groups(folder: Path, name: str, columns: Sequence[str]) -> Iterator[pa.Table]:
    """The row groups of a table whose file was checked, one at a time; texts that repeat are entries of a dictionary."""
    coded = [each for each in REPEATED if name in CODED and each in columns and each not in ADDED]
    with pq.ParquetFile(folder / f"{name}.parquet", read_dictionary=coded) as file:
        schema = pa.schema([table_schema(name).field(each) for each in columns])
        for number in range(file.num_row_groups):
            yield completed(file.read_row_group(number, columns=list(columns), use_threads=False), schema)


def column(folder: Path, name: str, wanted: str) -> list[Any]:
    """One column of a table whose file was checked."""
    found: list[Any] = pq.read_table(folder / f"{name}.parquet", columns=[wanted])[wanted].to_pylist()
    return found
