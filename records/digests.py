"""SHA-256 digests for records: of a prompt's token ids, and of the fields of a key."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def digest(fields: Mapping[str, Any]) -> str:
    """SHA-256 of the fields as canonical JSON: sorted keys, no blanks.

    >>> digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
    True
    """
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def ids_digest(ids: Iterable[int]) -> str:
    """SHA-256 of a prompt's token ids, written as decimal numbers with commas between them."""
    return hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()


def bits_digest(bits: NDArray[np.bool_]) -> str:
    """SHA-256 of the shape and the values of an array of bool.

    >>> bits_digest(np.array([[True]])) == bits_digest(np.array([[True, False]]))
    False
    """
    return hashlib.sha256(f"{bits.shape}".encode() + np.packbits(bits).tobytes()).hexdigest()
