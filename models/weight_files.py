"""Paths that a user gives, and facts about files of weights that tell them apart without reading them whole."""

import hashlib
from pathlib import Path
from typing import Any

END_BYTES = 2**20  # of each end of a file are read
PATTERNS = ("*.safetensors", "*.bin", "*.index.json", "config.json", "generation_config.json")


def user_path(setting: str, path: str) -> Path:
    """The path with ``~`` replaced by the home directory.

    Raises:
        ValueError: there is no home directory to put there.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{setting} is {path!r}, and the home directory is not known: {error}") from None


def file_facts(path: Path) -> list[dict[str, Any]]:
    """Name, size and digests of both ends of a weight file, or of each file of a folder that decides what a model answers.

    Args:
        path: a file, or a folder of weights (safetensors or bin), their index, config.json and generation_config.json.

    Returns:
        Sorted by name: ``name``, ``bytes``, and ``first_mib`` and ``last_mib``, the SHA-256 of up to 2**20 bytes. A
        change in the middle of a larger file is not seen. Folders above do not count.

    Raises:
        ValueError: a file cannot be read.
    """
    files = [path] if path.is_file() else sorted({each for pattern in PATTERNS for each in path.glob(pattern)})
    try:
        return [_facts(file) for file in files]
    except OSError as error:
        raise ValueError(f"{error.filename or path} cannot be read: {error.strerror or error}") from error


def _facts(file: Path) -> dict[str, Any]:
    size = file.stat().st_size
    with file.open("rb") as opened:
        first = opened.read(END_BYTES)
        opened.seek(max(0, size - END_BYTES))
        last = opened.read(END_BYTES)
    digests = {name: hashlib.sha256(part).hexdigest() for name, part in (("first_mib", first), ("last_mib", last))}
    return {"name": file.name, "bytes": size, **digests}
