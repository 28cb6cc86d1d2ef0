"""Reads files with one JSON object a line; errors name the file and the line."""

import json
import math
from pathlib import Path
from typing import Any

DIGITS = 30  # of a whole number, at most


def read_jsonl(path: Path, required: tuple[str, ...]) -> list[dict[str, Any]]:
    """The objects of a file, blank lines left out.

    Raises:
        ValueError: as for ``file_content`` and ``numbered_rows``.
    """
    return parse_jsonl(file_content(path), str(path), required)


def file_content(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        ValueError: the file is not there or cannot be read.
    """
    try:
        if not path.is_file():
            raise ValueError(f"{path} is not there, or is not a file")
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from error


def parse_jsonl(content: bytes, name: str, required: tuple[str, ...]) -> list[dict[str, Any]]:
    """The objects of a file's content, blank lines left out; as for ``numbered_rows``, without the numbers."""
    return [row for _, row in numbered_rows(content, name, required)]


def numbered_rows(content: bytes, name: str, required: tuple[str, ...]) -> list[tuple[int, dict[str, Any]]]:
    """(number of the line, from 1; its object) of every line of a file's content that is not blank.

    Args:
        content: UTF-8, with or without a byte order mark.
        name: of the file, for messages.
        required: fields that every line must have.

    Raises:
        ValueError: it holds nothing or is not UTF-8, or a line (its number is in the message) is not a JSON object as
            ``parse_json`` wants it or lacks one of the ``required`` fields.
    """
    try:
        lines = content.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is not UTF-8 text: byte {error.start} cannot be read") from None
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except ValueError as error:
            raise ValueError(f"{name}, line {number}: {error}") from None
        if not isinstance(row, dict):
            raise ValueError(f"{name}, line {number}: must be a JSON object, is {type(row).__name__}")
        missing = [field for field in required if field not in row]
        if missing:
            raise ValueError(f"{name}, line {number}: lacks the field {missing[0]!r}")
        rows.append((number, row))
    if not rows:
        raise ValueError(f"{name} holds no rows")
    return rows


def parse_json(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is not JSON, is nested too deeply for Python, or holds NaN, an infinity, a whole number of more than
            ``DIGITS`` digits, or half of a surrogate pair, which no encoding can write.
    """
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite, parse_int=_short)
        if "\\ud" in text.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise ValueError(f"not valid JSON ({error.msg} at column {error.colno})") from None
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        raise ValueError(f"not valid JSON ({half} is half of a surrogate pair, and no character)") from None
    except RecursionError:
        raise ValueError("not valid JSON (nested too deeply)") from None
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"not valid JSON ({constant} is no number)")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"not valid JSON ({digits[:DIGITS]} is too large a number)")
    return number


def _short(digits: str) -> int:
    if len(digits) > DIGITS:
        raise ValueError(f"not valid JSON (a number has {len(digits)} digits, at most {DIGITS} are read)")
    return int(digits)
