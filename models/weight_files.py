"""Paths that a user gives, and digests of files of weights, which tell any two of them apart."""

import hashlib
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

PATTERNS = ("*.safetensors", "*.bin", "*.index.json", "config.json", "generation_config.json")
BLOB = re.compile("[0-9a-f]{64}")  # name of a file of weights in the hub's cache
THREADS = min(8, os.cpu_count() or 1)  # that hash files at once


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
    """Name, size and digest of a weight file, or of each file of a folder that decides what a model answers.

    Every byte is read, about a second a gigabyte and thread; the loader reads the same bytes again, from memory where there is room.

    Args:
        path: a file, or a folder of weights (safetensors or bin), their index, config.json and generation_config.json.

    Returns:
        Sorted by name: ``name``, ``bytes`` and ``sha256``. Folders above do not count.

    Raises:
        ValueError: a file cannot be read.
    """
    files = [path] if path.is_file() else sorted({each for pattern in PATTERNS for each in path.glob(pattern)})
    digests = sha256_of(files)
    return [
        {"name": file.name, "bytes": file.stat().st_size, "sha256": each}
        for file, each in zip(files, digests, strict=True)
    ]


def check_hub_files(snapshot: Path) -> None:
    """Compares the weights of a model in the hub's cache with the SHA-256 that the cache names them by.

    Args:
        snapshot: folder of a commit; where its files are no links, as on Windows, nothing can be compared.

    Raises:
        ValueError: a file has another digest, or cannot be read.
    """
    linked = [each for pattern in PATTERNS[:2] for each in sorted(snapshot.glob(pattern)) if each.is_symlink()]
    named = [file for file in linked if BLOB.fullmatch(file.resolve().name)]
    for file, digest in zip(named, sha256_of(named), strict=True):
        if digest != file.resolve().name:
            raise ValueError(
                f"{file.name} in the hub's cache is damaged, its SHA-256 is {digest}: delete {file.resolve()} and load it again"
            )


def sha256_of(files: Sequence[Path]) -> list[str]:
    """SHA-256 of each file, several at once; a file that was not written to since it was last asked for is not read again.

    Raises:
        ValueError: a file cannot be read.
    """
    try:
        with ThreadPoolExecutor(THREADS) as threads:
            return list(threads.map(_sha256, files))
    except OSError as error:
        raise ValueError(f"{error.filename or files[0]} cannot be read: {error.strerror or error}") from error


def _sha256(file: Path) -> str:
    known = file.stat()
    return _read(file.resolve(), known.st_ino, known.st_size, known.st_mtime_ns)


@lru_cache(maxsize=4096)
def _read(file: Path, *_: int) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
