"""copies.json of a run folder: which copies a logger has made of it, of which tables and with which settings."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tokenrank.records.run_files import CONFIG, COPIES, TABLES
from tokenrank.records.sealed import SEAL
from tokenrank.records.writing import write_json


def copied_before(folder: Path, logger: str, settings: Mapping[str, Any]) -> str | None:
    """What a logger said of its copy of these tables and of config.yaml with these settings; None where it has made none.

    Args:
        folder: a run folder with the four tables.
        logger: name of the logger's class.
        settings: of the logger; values of JSON.
    """
    known = _read(folder).get(logger)
    if not isinstance(known, dict) or known.get("settings") != settings or known.get("tables") != _digests(folder):
        return None
    return str(known["said"])


def note_copy(folder: Path, logger: str, settings: Mapping[str, Any], said: str) -> None:
    """Notes that a logger has copied these tables; its earlier note is replaced."""
    made = {"settings": dict(settings), "tables": _digests(folder), "said": said}
    write_json(folder / COPIES, _read(folder) | {logger: made})


def _read(folder: Path) -> dict[str, Any]:
    """The notes; none where there is no file or a damaged one: a copy is then made again."""
    try:
        found = json.loads((folder / COPIES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _digests(folder: Path) -> dict[str, str]:
    """File name -> the SHA-256 that the table holds of itself, and that of config.yaml, which says what is shown; collected again a run has the same."""
    tables = {name: pq.read_metadata(folder / name).metadata[SEAL].decode() for name in TABLES}
    return tables | {CONFIG: hashlib.sha256((folder / CONFIG).read_bytes()).hexdigest()}
