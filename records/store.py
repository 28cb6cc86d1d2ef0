"""The store: answers, truths, rankings, losses and values that were computed once, for all runs on this machine (docs/store.md)."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from tokenrank.records.entry import entry_bytes, entry_key, read_entry
from tokenrank.records.files import PREFIX, whole_file

KINDS = ANSWERS, TRUTHS, RANKINGS, LOSSES, VALUES = ("answers", "truths", "rankings", "losses", "values")
log = logging.getLogger("tokenrank")


class StoreUnwritable(OSError):
    """Something could not be written into the store; the message names the store and the reason."""


class Storage(ABC):
    """Keeps tensors under what decided them."""

    @abstractmethod
    def get(self, kind: str, fields: Mapping[str, Any]) -> dict[str, Tensor] | None:
        """The tensors that were put under these fields, on the CPU; None if there are none, or none that are sound."""

    @abstractmethod
    def put(self, kind: str, fields: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Keeps the tensors.

        Args:
            kind: one of ``KINDS``.
            fields: all that decided the tensors, and nothing else; whatever JSON knows.
            tensors: of any shape and dtype, on any device.

        Raises:
            StoreUnwritable: they could not be written.
        """

    @abstractmethod
    def check(self) -> None:
        """Raises ValueError with one sentence if nothing can be written."""


@dataclass(frozen=True)
class Store(Storage):
    """A folder: PATH/KIND/two digits/KEY.safetensors, KEY the SHA-256 of the fields. Any number of processes may share it."""

    path: Path

    def file(self, kind: str, fields: Mapping[str, Any]) -> Path:
        """Where an entry is, or would be.

        Raises:
            ValueError: the kind is none of ``KINDS``.
        """
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}, must be one of {', '.join(KINDS)}")
        key = entry_key(fields)
        return self.path / kind / key[:2] / f"{key}.safetensors"

    def get(self, kind: str, fields: Mapping[str, Any]) -> dict[str, Tensor] | None:
        """As ``Storage.get``; a file that is damaged, or none of ours, is named in a warning and counts as absent."""
        file = self.file(kind, fields)
        try:
            return read_entry(file, kind)[1]
        except FileNotFoundError:
            return None
        except ValueError as error:
            log.warning("%s; it is made again", error)
            return None

    def put(self, kind: str, fields: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """As ``Storage.put``; an entry that is there already and sound stays, so that what was read once is read again."""
        file = self.file(kind, fields)
        content = entry_bytes(kind, fields, tensors)
        if _sound(file, kind):
            return
        try:
            with whole_file(file, durable=False) as temporary:  # it is checked when it is read, and can be made again
                temporary.write_bytes(content)
        except OSError as error:
            raise StoreUnwritable(f"store={self.path} cannot be written: {_reason(error)}") from error

    def check(self) -> None:
        """Writes a small file and removes it again; makes the folder if it is missing."""
        probe = self.path / f"{PREFIX}check"
        try:
            with whole_file(probe) as temporary:
                temporary.write_bytes(bytes(4096))
            probe.unlink(missing_ok=True)  # another process may have checked at the same time
        except OSError as error:
            raise ValueError(
                f"store={self.path} cannot be written ({_reason(error)}): give another folder, or store=null for none"
            ) from error


class NoStore(Storage):
    """Keeps nothing, ``store=null``."""

    def get(self, kind: str, fields: Mapping[str, Any]) -> dict[str, Tensor] | None:  # noqa: ARG002
        """None."""
        return None

    def put(self, kind: str, fields: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Does nothing."""

    def check(self) -> None:
        """Is never wrong."""


def _sound(file: Path, kind: str) -> bool:
    try:
        read_entry(file, kind)
    except (FileNotFoundError, ValueError):
        return False
    return True


def _reason(error: OSError) -> str:
    """What the system says, with the file that it says it of.

    >>> _reason(OSError(28, "No space left on device", "/store"))
    'No space left on device: /store'
    """
    said = str(error.strerror or error)
    return f"{said}: {error.filename}" if error.filename else said
