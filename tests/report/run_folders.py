"""Whole run folders, made by hand, and what the report makes of a folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenrank.records.run_folder import RunFolder
from tokenrank.records.tables import Tables
from tokenrank.records.writing import write_text
from tokenrank.report import report
from tokenrank.report.rows.loaded_run import load_run
from tokenrank.report.tables.report_files import texts_of_report

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


def draw(
    folder: RunFolder, k: float | None = None, metrics: Sequence[str] | str | None = None, *, lacking: bool = False
) -> list[str]:
    """Draws a folder's pictures; returns what failed."""
    return report.draw(load_run(folder, k), metrics, lacking=lacking)


def write_tables(folder: RunFolder) -> list[str]:
    """Writes the tables of a folder; returns the names of the files."""
    texts = texts_of_report(load_run(folder))
    for name, text in texts.items():
        write_text(folder.path / name, text())
    return list(texts)


def printed(folder: RunFolder, k: float | None = None) -> str:
    """The printed table of a folder."""
    return report.printed(load_run(folder, k))
