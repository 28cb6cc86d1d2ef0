"""The four tables of a run folder: written together, read with their columns checked."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tokenrank.records.schema import METRICS, RUNS, SAMPLES, SUMMARY, Columns, table
from tokenrank.records.writing import write_table

SCHEMAS: dict[str, Columns] = {"metrics": METRICS, "summary": SUMMARY, "samples": SAMPLES, "runs": RUNS}


@dataclass(frozen=True)
class Tables:
    """The four tables that are computed from the records, each as in its file."""

    metrics: pd.DataFrame
    summary: pd.DataFrame
    samples: pd.DataFrame
    runs: pd.DataFrame


def write_tables(folder: Path, tables: Tables) -> None:
    """Writes the four tables, each whole."""
    for name, content in vars(tables).items():
        write_table(folder / f"{name}.parquet", content)


def read_tables(folder: Path) -> Tables:
    """The four tables of a folder.

    Raises:
        ValueError: one is missing, cannot be read or lacks a column.
    """
    return Tables(**{name: _table(folder / f"{name}.parquet", columns) for name, columns in SCHEMAS.items()})


def _table(file: Path, columns: Columns) -> pd.DataFrame:
    if not file.is_file():
        raise ValueError(f"{file.parent} has no {file.name}: collect its records first (python -m tokenrank.collect)")
    try:
        found = pd.read_parquet(file)
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} cannot be read: {error}") from error
    missing = [column for column in columns if column not in found]
    if missing:
        raise ValueError(f"{file} lacks the column {missing[0]!r}")
    return found if len(found) else table([], columns)
