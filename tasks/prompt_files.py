"""Rows of a user's file of prompts: jsonl, csv or parquet; errors name the file and the line or row."""

import csv
import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet

from tokenrank.tasks.jsonl import DIGITS, file_content, numbered_rows, parse_json

PROMPT = "prompt"  # the one field that every row must have
ENDINGS = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".parquet")
LISTS = ("answers", "evidence")  # fields that hold a list
MOST_GIB = 4  # that a gz file unpacks to
BLOCK = 2**20  # bytes unpacked at a time


@dataclass(frozen=True)
class Row:
    """One row of a file."""

    place: str  # the file and the line or row, for messages
    number: int  # in jsonl of the line, in csv and parquet of the row below the names of the columns; from 1
    fields: dict[
        str, Any
    ]  # those that have a value; of the type that the file gives them, in csv as ``_csv_value`` says


def prompt_rows(path: Path) -> list[Row]:
    """All rows of a file, in its order.

    A field that is empty in csv, and null or NaN in parquet, is none. In jsonl every field that is there counts.

    Raises:
        ValueError: an ending that is not among ``ENDINGS``, no such file, or one that cannot be read; no rows; broken rows.
    """
    name = path.name.lower()
    kind = next((ending for ending in ENDINGS if name.endswith(ending)), None)
    if kind is None:
        raise ValueError(f"task.path is {str(path)!r}, must be a file that ends in {', '.join(ENDINGS)}")
    content = file_content(path)
    if kind.endswith(".gz"):
        content = _unpacked(content, path)
    if kind.startswith(".jsonl"):
        return [Row(f"{path}, line {n}", n, row) for n, row in numbered_rows(content, str(path), (PROMPT,))]
    rows = list(_csv_rows(content, path)) if kind.startswith(".csv") else _parquet_rows(content, path)
    if not rows:
        raise ValueError(f"{path} holds no rows")
    return rows


def _unpacked(content: bytes, path: Path) -> bytes:
    """The content of a gz file, up to ``MOST_GIB`` GiB."""
    found = bytearray()
    try:
        with gzip.open(io.BytesIO(content)) as opened:
            while len(found) <= MOST_GIB * 2**30 and (block := opened.read(BLOCK)):
                found += block
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} cannot be read as gzip: {error}") from error
    if len(found) > MOST_GIB * 2**30:
        raise ValueError(f"{path} unpacks to more than {MOST_GIB} GiB, must be at most that")
    return bytes(found)


def _csv_rows(content: bytes, path: Path) -> Iterator[Row]:
    """Rows of a csv file with the columns' names in its first line, UTF-8, with or without a byte order mark."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text: byte {error.start} cannot be read") from None
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        with _fields_of_any_length():
            columns = next(filter(None, lines), [])
            _check_columns(columns, path)
            start, number = lines.line_num + 1, 0
            for cells in lines:
                place, start = f"{path}, line {start}", lines.line_num + 1
                if not cells:  # a blank line
                    continue
                number += 1
                if len(cells) != len(columns):
                    raise ValueError(f"{place}: has {len(cells)} fields, must have {len(columns)} as the first line")
                pairs = zip(columns, cells, strict=True)
                yield Row(place, number, {name: _csv_value(place, name, cell) for name, cell in pairs if cell})
    except csv.Error as error:
        raise ValueError(f"{path}, line {lines.line_num}: cannot be read as csv: {error}") from None


def _check_columns(columns: list[str], path: Path) -> None:
    """Raises ValueError for two columns of one name, or none of prompts."""
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{path}: the column {twice!r} stands there twice")
    if columns and PROMPT not in columns:
        raise ValueError(f"{path} lacks the column {PROMPT!r}; it has {', '.join(map(repr, columns))}")


def _csv_value(place: str, name: str, cell: str) -> Any:
    """A cell as the value that jsonl would have: answers and evidence are a JSON list where the cell begins with [, else one text."""
    if name == "max_new_tokens":
        return int(cell) if cell.isascii() and cell.isdigit() and len(cell) <= DIGITS else cell
    if name == "chat_template":
        return {"true": True, "false": False}.get(cell.lower(), cell)
    if name not in LISTS:
        return cell
    if not cell.startswith("["):
        return [cell]
    try:
        return parse_json(cell)
    except ValueError as error:
        raise ValueError(f"{place}: the cell of {name} begins with [, must be a JSON list: {error}") from None


@contextmanager
def _fields_of_any_length() -> Iterator[None]:
    """While the block runs, csv reads fields of more than 131,072 characters, which is its limit for the whole process."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _parquet_rows(content: bytes, path: Path) -> list[Row]:
    try:
        table = pyarrow.parquet.read_table(io.BytesIO(content))
        rows = table.to_pylist()
    except Exception as error:  # pyarrow's errors have no class of their own above them
        raise ValueError(f"{path} cannot be read as parquet: {' '.join(str(error).split())}") from error
    _check_columns(table.column_names, path)
    return [
        Row(f"{path}, row {n}", n, {str(name): _whole(value) for name, value in row.items() if not _missing(value)})
        for n, row in enumerate(rows, start=1)
    ]


def _missing(value: Any) -> bool:
    """Null or NaN."""
    return value is None or value != value


def _whole(value: Any) -> Any:
    """A whole number of a column that pandas made one of floats because some rows have none."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
