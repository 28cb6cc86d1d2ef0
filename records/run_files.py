"""Names of the files of a run folder, and which of them may be removed."""

import shutil
from collections.abc import Collection
from pathlib import Path

from tokenrank.records.files import sweep_unfinished

MARKER = "environment.json"  # it marks a run folder
CONFIG = "config.yaml"
JOINED = "joined"  # the entry of environment.json that tells a joined folder
CONTEXT_EFFECT = "context_effect"  # its entry of one whose prompts were chosen by it: at_least, kept, of and unknown
TABLES = ("metrics.parquet", "summary.parquet", "samples.parquet", "runs.parquet")
COPIES = "copies.json"  # of loggers
PAGE = "report.html"
SUMMARY = "summary.md"  # all that the printed table has no room for
REPORTS = ("report.md", "report.tex", "report.csv", SUMMARY)
FILES = (CONFIG, "run.log", *TABLES, COPIES, "published.md", "ttft.md", PAGE, *REPORTS)
FOLDERS = {
    "records": ("*.parquet",),
    "levels": ("*.parquet",),
    "rankings": ("*.safetensors",),
    "plots": ("*.png", "*.pdf", "index.md"),
}
OF_LOGGERS = ("wandb", "tensorboard", "trackio")  # folders that they write
CLAIMS = ".claims"
DRAWING = ".drawing"  # is there while tables and pictures are made


def is_sweep(path: Path) -> bool:
    """Whether the folder is no run folder and holds some."""
    return not (path / MARKER).is_file() and any(path.glob(f"*/{MARKER}"))


def names_of_ours(folder: Path) -> list[str]:
    """Names of files and folders in a folder that have the names of a run's.

    Raises:
        ValueError: one of them is a link.
    """
    names = [MARKER, *FILES, *FOLDERS, *OF_LOGGERS]
    linked = [name for name in names if (folder / name).is_symlink()]
    if linked:
        raise ValueError(
            f"{folder / linked[0]} is a link, and nothing is written through links: choose another hydra.run.dir"
        )
    return [name for name in names if (folder / name).exists()]


def remove_files(folder: Path, units: Collection[str]) -> None:
    """Removes the files of a run, its marker last; records and rankings only of these units."""
    for name, patterns in FOLDERS.items():
        sweep_unfinished(folder / name)
        for pattern in patterns:
            for file in (folder / name).glob(pattern):
                if name == "plots" or file.stem in units:
                    file.unlink()
        if (folder / name).is_dir() and not any((folder / name).iterdir()):
            (folder / name).rmdir()
    for name in (*OF_LOGGERS, CLAIMS):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in (*FILES, DRAWING, MARKER):
        (folder / name).unlink(missing_ok=True)
    sweep_unfinished(folder)
