"""Reads one JSON object a line; says which line is wrong."""

import json
from pathlib import Path
from typing import Any


def read_jsonl(path: Path, required: tuple[str, ...]) -> list[dict[str, Any]]:
    """The objects of a file, blank lines left out.

    Raises:
        ValueError: the file is not there, or as for ``parse_jsonl``.
    """
    if not path.is_file():
        raise ValueError(f"{path} is not there, or is not a file")
    return parse_jsonl(path.read_bytes(), str(path), required)


def parse_jsonl(content: bytes, name: str, required: tuple[str, ...]) -> list[dict[str, Any]]:
    """The objects of a file's content, blank lines left out.

    Args:
        content: UTF-8.
        name: of the file, for messages.
        required: fields that every line must have.

    Raises:
        ValueError: it holds nothing or is not UTF-8, or a line (its number is in the message) is not a JSON object or
            lacks one of the ``required`` fields.
    """
    try:
        lines = content.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is not UTF-8 text: byte {error.start} cannot be read") from None
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{name}, line {number}: not valid JSON ({error.msg} at column {error.colno})") from None
        if not isinstance(row, dict):
            raise ValueError(f"{name}, line {number}: must be a JSON object, is {type(row).__name__}")
        missing = [field for field in required if field not in row]
        if missing:
            raise ValueError(f"{name}, line {number}: lacks the field {missing[0]!r}")
        rows.append(row)
    if not rows:
        raise ValueError(f"{name} holds no rows")
    return rows
