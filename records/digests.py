"""SHA-256 digests for records: of a prompt's token ids, and of the fields of a key."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any


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
