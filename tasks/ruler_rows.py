"""Rows of RULER's published prompts: from a file (parquet, jsonl, csv) or from the hub."""

import re
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet

from tokenrank.models.hub import data_sets_offline, hub_answers
from tokenrank.tasks.jsonl import parse_json, read_jsonl
from tokenrank.tasks.task import check_answers

TEXTS = ("context", "question", "answer_prefix", "task")
COLUMNS = (*TEXTS, "answer", "max_new_tokens")
ENDINGS = (".parquet", ".jsonl", ".csv")
COMMIT = re.compile("[0-9a-f]{40}")


def file_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file, without a cache. In csv the answers are a JSON list.

    Raises:
        ValueError: no such file, an ending that is not known, a file that cannot be read, or as for ``check_rows``.
    """
    if path.suffix not in ENDINGS:
        raise ValueError(f"task.path is {str(path)!r}, must be a file that ends in {', '.join(ENDINGS)}")
    if not path.is_file():
        raise ValueError(f"task.path is {str(path)!r}, and there is no such file")
    if path.suffix == ".jsonl":
        rows = read_jsonl(path, COLUMNS)
    else:
        rows = _csv_rows(path) if path.suffix == ".csv" else _parquet_rows(path)
    check_rows(str(path), rows)
    return rows


def hub_rows(repository: str, config: str, split: str, revision: str = "main") -> list[dict[str, Any]]:
    """The rows of a data set of the hub, or of its copy in the hub's cache; code that a data set brings is never run.

    Says on stderr which commit the rows are of, where the client knows it.

    Args:
        repository: the data set's id.
        config: one of its configurations.
        split: of that configuration.
        revision: branch, tag or commit.

    Raises:
        ValueError: it cannot be fetched, or as for ``check_rows``.
    """
    from datasets import load_dataset  # only here, as it takes a second to import

    where = f"the hub's data set {repository}, {config}, {split}"
    try:
        with data_sets_offline(not Path(repository).is_dir() and not hub_answers()):
            table = load_dataset(repository, config, split=split, revision=revision)
        rows: list[dict[str, Any]] = table.to_list()
    except Exception as error:  # of the network, of the hub, of the cache, of the data set's own files
        raise ValueError(
            f"{where} cannot be fetched ({type(error).__name__}: {error}); "
            f"go online, or set task.path to a file with the columns {', '.join(COLUMNS)}"
        ) from error
    commit = _commit(list(table.info.download_checksums or ()))
    if commit is not None:
        if COMMIT.fullmatch(revision) and revision != commit:  # the client takes what its cache has
            raise ValueError(f"task.revision is {revision!r}, and the cache holds {where} at commit {commit} only")
        print(f"note: {where} is read at commit {commit}", file=sys.stderr)
    check_rows(where, rows)
    return rows


def _commit(urls: list[str]) -> str | None:
    """The commit in the addresses of the files that a data set was made of."""
    found = {match[0] for url in urls if (match := COMMIT.search(url.partition("@")[2]))}
    return found.pop() if len(found) == 1 else None


def check_rows(where: str, rows: list[dict[str, Any]]) -> None:
    """Raises ValueError unless there are rows and each has all ``COLUMNS`` with values of the right type."""
    if not rows:
        raise ValueError(f"{where} holds no rows")
    for number, row in enumerate(rows):
        missing = [column for column in COLUMNS if column not in row]
        if missing:
            raise ValueError(f"{where} lacks the column {missing[0]!r}; it has {', '.join(map(str, row))}")
        for column in TEXTS:
            if not isinstance(row[column], str):
                raise ValueError(f"{where}, row {number}: {column} is {row[column]!r}, must be a text")
        check_answers(f"{where}, row {number}", row["answer"])
        if not row["answer"]:
            raise ValueError(f"{where}, row {number}: the answers are empty, must be at least one text")
        if type(row["max_new_tokens"]) is not int or row["max_new_tokens"] < 1:
            raise ValueError(
                f"{where}, row {number}: max_new_tokens is {row['max_new_tokens']!r}, must be a whole number, at least 1"
            )


def _parquet_rows(path: Path) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
    except Exception as error:  # pyarrow's errors have no class of their own above them
        raise ValueError(f"{path} cannot be read as parquet: {error}") from error
    return rows


def _csv_rows(path: Path) -> list[dict[str, Any]]:
    """All columns as text, but ``answer`` and ``max_new_tokens`` as JSON where they are JSON."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except Exception as error:  # of the parser or of the encoding
        raise ValueError(f"{path} cannot be read as csv: {error}") from error
    rows: list[dict[str, Any]] = [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
    for row in rows:
        for column in ("answer", "max_new_tokens"):
            if column in row:
                row[column] = _json_or_text(row[column])
    return rows


def _json_or_text(text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError:
        return text
