"""Parquet files that hold the SHA-256 of all of their bytes, so that a flipped bit or a missing end is found on reading."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from tokenrank.records.files import whole_file

SEAL = b"tokenrank.sha256"  # entry of the file's metadata
_EMPTY = b"0" * 64  # stands for the digest while it is computed
_PLACE = b"\x18" + bytes([len(SEAL)]) + SEAL + b"\x18" + bytes([len(_EMPTY)])  # the entry, as Thrift writes it
_BLOCK = 1 << 20  # bytes read at a time
_VARIED = ("value", "low", "high", "p")  # columns without repetitions


@contextmanager
def sealed_file(path: Path, schema: pa.Schema, metadata: Mapping[bytes, bytes]) -> Iterator[pq.ParquetWriter]:
    """A writer of a parquet file, which becomes ``path`` when the block ends without error.

    The same tables written in the same order give the same bytes.

    Args:
        path: of the file.
        schema: of all tables that are written; columns that are dictionaries are stored as plain texts.
        metadata: entries of the file's metadata.
    """
    repeated = [name for name in schema.names if name not in _VARIED]
    with whole_file(path) as temporary:
        with pq.ParquetWriter(
            temporary, schema.remove_metadata(), compression="zstd", compression_level=1, use_dictionary=repeated,
            write_statistics=False, store_schema=False,
        ) as writer:  # fmt: skip
            yield writer
            writer.add_key_value_metadata({**metadata, SEAL: _EMPTY})
        with temporary.open("r+b") as file:
            place = _place(file)
            digest = _digest(file, place)
            file.seek(place)
            file.write(digest)


def check_seal(file: BinaryIO) -> None:
    """Reads all of a file.

    Raises:
        ValueError: it was not written by ``sealed_file``, or its bytes are not those that were written.
    """
    place = _place(file)
    file.seek(place)
    if file.read(len(_EMPTY)) != _digest(file, place):
        raise ValueError("its SHA-256 is another one")


def _place(file: BinaryIO) -> int:
    """Where the digest stands, counted from the start of the file."""
    end = file.seek(0, 2)
    file.seek(max(0, end - 8))
    last = file.read(8)
    footer = int.from_bytes(last[:4], "little") + 8
    if last[4:] != b"PAR1" or footer > end:
        raise ValueError("it is no whole parquet file")
    file.seek(end - footer)
    content = file.read(footer)
    if content.count(_PLACE) != 1:
        raise ValueError(f"it was not written by this version of tokenrank (it holds no {SEAL.decode()})")
    return end - footer + content.index(_PLACE) + len(_PLACE)


def _digest(file: BinaryIO, place: int) -> bytes:
    """SHA-256 of the file with an empty digest at ``place``, in hexadecimal digits."""
    total, left = hashlib.sha256(), place
    file.seek(0)
    while left:
        block = file.read(min(left, _BLOCK))
        if not block:
            raise ValueError("it ends too early")
        total.update(block)
        left -= len(block)
    total.update(_EMPTY)
    file.seek(place + len(_EMPTY))
    while block := file.read(_BLOCK):
        total.update(block)
    return total.hexdigest().encode()
