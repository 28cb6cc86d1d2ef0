"""Whole run folders, made by hand."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenrank.records.run_folder import RunFolder
from tokenrank.records.tables import Tables

CONFIG = "seed: 7\nmodel:\n  name: tiny\nplots:\n  k: 10\nstudy: null\n"


def run_folder(
    path: Path, tables: Tables, config: str = CONFIG, environment: Mapping[str, Any] | None = None
) -> RunFolder:
    """A folder with config.yaml, environment.json and the tables."""
    folder = RunFolder(path)
    known = environment or {}
    folder.begin(known, dict.fromkeys(known.get("units", ()), "key"), config)
    folder.write_tables(tables)
    return folder
