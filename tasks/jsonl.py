"""Reads one JSON object a line; says which line is wrong."""

import json
from pathlib import Path
from typing import Any


def read_jsonl(path: Path, required: tuple[str, ...]) -> list[dict[str, Any]]:
    """The objects of a file, blank lines left out.

    Raises:
        ValueError: the file is not there or holds nothing, or a line (its number is in the message) is not a JSON
            object or lacks one of the ``required`` fields.
    """
    if not path.is_file():
        raise ValueError(f"{path} is not there, or is not a file")
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}, line {number}: not valid JSON ({error.msg} at column {error.colno})") from None
        if not isinstance(row, dict):
            raise ValueError(f"{path}, line {number}: must be a JSON object, is {type(row).__name__}")
        missing = [field for field in required if field not in row]
        if missing:
            raise ValueError(f"{path}, line {number}: lacks the field {missing[0]!r}")
        rows.append(row)
    if not rows:
        raise ValueError(f"{path} holds no rows")
    return rows
