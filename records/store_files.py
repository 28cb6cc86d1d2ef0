"""The files of a store, for those who look after it: entries, and what killed writers left."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenrank.records.entry import read_entry, read_fields
from tokenrank.records.files import PREFIX
from tokenrank.records.store import KINDS

NAME = re.compile(r"[0-9a-f]{64}\.safetensors")
FOLDER = "[0-9a-f][0-9a-f]"


@dataclass(frozen=True)
class StoredFile:
    """A file at an entry's place, sound or not, or an unfinished one."""

    path: Path
    kind: str
    bytes: int
    used: float  # seconds since 1970: when it was last read or written, as far as the file system keeps that

    def damage(self) -> str | None:
        """What is wrong with an entry, as a sentence; None if it is sound, or was removed meanwhile."""
        try:
            with _unnoticed(self.path):
                read_entry(self.path, self.kind)
        except FileNotFoundError:
            return None
        except ValueError as error:
            return str(error)
        return None

    def fields(self) -> dict[str, Any] | None:
        """The fields of an entry; None if its header is damaged, or it was removed meanwhile."""
        try:
            with _unnoticed(self.path):
                return read_fields(self.path, self.kind)
        except (FileNotFoundError, ValueError):
            return None


def entry_files(store: Path) -> list[StoredFile]:
    """What is at the places of entries, in the order of the paths; files of other names are not the store's."""
    found = []
    for kind in KINDS:
        for path in sorted((store / kind).glob(f"{FOLDER}/*.safetensors")):
            if NAME.fullmatch(path.name) and path.name.startswith(path.parent.name):
                found += _stored(path, kind)
    return found


def unfinished_files(store: Path) -> list[StoredFile]:
    """What writers are writing at this moment, or left when they were killed."""
    found = [each for path in sorted(store.glob(f"{PREFIX}*")) for each in _stored(path, "")]
    for kind in KINDS:
        for path in sorted((store / kind).glob(f"{FOLDER}/{PREFIX}*")):
            found += _stored(path, kind)
    return found


def _stored(path: Path, kind: str) -> list[StoredFile]:
    """One file; none if it has just been removed."""
    try:
        facts = path.lstat()
    except FileNotFoundError:
        return []
    return [StoredFile(path, kind, facts.st_size, max(facts.st_atime, facts.st_mtime))]


@contextmanager
def _unnoticed(path: Path) -> Iterator[None]:
    """What is read inside the block does not count as used."""
    before = path.lstat()
    try:
        yield
    finally:
        with suppress(OSError, NotImplementedError):  # only the owner may; then it counts
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns), follow_symlinks=False)
