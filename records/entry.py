"""One entry of the store: tensors in a safetensors file, with what decided them and a SHA-256 of all in its header."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from stat import S_ISREG
from typing import IO, Any

import safetensors.torch
from torch import Tensor, contiguous_format, uint8

from tokenrank.records.digests import digest

FORMAT = "tokenrank store 1"
HEADER = "tokenrank"  # the only entry of the file's metadata: safetensors writes several in any order
LONGEST_HEADER = 100_000_000  # bytes; safetensors itself reads no longer one


def entry_key(fields: Mapping[str, Any]) -> str:
    """SHA-256 of the fields as they come back from JSON: the name of the entry's file."""
    return digest(_plain(fields))


def entry_bytes(kind: str, fields: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> bytes:
    """The content of an entry's file; the same tensors and fields give the same bytes.

    Args:
        kind: of the entry.
        fields: what decided the tensors; whatever JSON knows.
        tensors: of any shape and dtype, on any device; two names may share memory.

    Raises:
        ValueError: a field is NaN or infinite.
        TypeError: a field is of a type that JSON does not know.
    """
    copies = {name: each.detach().cpu().clone(memory_format=contiguous_format) for name, each in tensors.items()}
    plain = _plain(fields)
    about = {"fields": plain, "format": FORMAT, "kind": kind, "sha256": _content_digest(kind, plain, copies)}
    return safetensors.torch.save(copies, {HEADER: json.dumps(about, sort_keys=True)})


def read_fields(path: Path, kind: str) -> dict[str, Any]:
    """The fields of an entry, of its header alone: the tensors are neither read nor checked.

    Raises:
        FileNotFoundError: there is no file.
        ValueError: the file is no entry of this kind, or not of the name that it has; the message begins with the path.
    """
    return dict(_read(path, kind, whole=False)[0])


def read_entry(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Fields and tensors of an entry, on the CPU, its content compared with the SHA-256 of what was written.

    Raises:
        FileNotFoundError: there is no file.
        ValueError: the file is no entry of this kind, not of the name that it has, or damaged; the message begins with the path.
    """
    return _read(path, kind, whole=True)


def _read(path: Path, kind: str, *, whole: bool) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        if not S_ISREG(path.stat().st_mode):
            raise ValueError("it is no file")
        with path.open("rb") as opened:
            size, head = _head(opened, path.stat().st_size)
            about = json.loads(json.loads(head)["__metadata__"][HEADER])
            fields: dict[str, Any] = about["fields"]
            if (about["format"], about["kind"]) != (FORMAT, kind):
                raise ValueError(f"it is of {about['kind']!r} in the format {about['format']!r}")
            if digest(fields) != path.stem:
                raise ValueError("its fields have another key")
            if not whole:
                return fields, {}
            tensors = safetensors.torch.load(size + head + opened.read())
        if _content_digest(kind, fields, tensors) != about["sha256"]:
            raise ValueError("its SHA-256 is another one")
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged file can be wrong in as many ways as JSON and safetensors have
        raise ValueError(f"{path} is no entry that can be read ({_why(error)})") from error
    return fields, tensors


def _why(error: Exception) -> str:
    """A reason in one line; a ValueError of ours as it is, another error with its class."""
    said = " ".join(str(getattr(error, "strerror", None) or error).split())
    return said if type(error) is ValueError else f"{type(error).__name__}: {said}"


def _head(opened: IO[bytes], file_size: int) -> tuple[bytes, bytes]:
    """The eight bytes that hold the length of the header, and the header: nothing is read on the word of a foreign file."""
    size = opened.read(8)
    declared = int.from_bytes(size, "little")
    if len(size) < 8 or declared > min(file_size - 8, LONGEST_HEADER):
        raise ValueError(f"its header would be {declared} bytes long, the file has {file_size}")
    return size, opened.read(declared)


def _content_digest(kind: str, fields: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of kind and fields, and of every tensor's name, dtype, shape and bytes, in the order of the names."""
    total = hashlib.sha256(digest({"format": FORMAT, "kind": kind, "fields": fields}).encode())
    for name, tensor in sorted(tensors.items()):
        total.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        total.update(tensor.reshape(-1).view(uint8).numpy().data)
    return total.hexdigest()


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return dict(json.loads(json.dumps(fields, allow_nan=False)))
