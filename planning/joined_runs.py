"""Finds the runs that are to be joined, and the folder that may take them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenrank.planning.comparable import Source, read_source
from tokenrank.planning.joined_settings import agreed
from tokenrank.records.run_files import CLAIMS, DRAWING, FILES, FOLDERS, MARKER, OF_LOGGERS, is_sweep
from tokenrank.records.run_folder import LOCK, RunFolder

DEFAULT = "joined"  # the folder of a sweep that takes its runs
OF_EACH = ("units", "format", "commands")  # entries of environment.json that are not compared
KNOWN = {MARKER, LOCK, CLAIMS, DRAWING, *OF_LOGGERS, *FILES, *FOLDERS}


def find_sources(given: Sequence[Path]) -> list[Source]:
    """The runs in these folders: each is a run folder, or holds some directly below it (a sweep), which are taken in the order of their names.

    Raises:
        ValueError: a folder is neither, or a run cannot be joined.
    """
    found: dict[Path, RunFolder] = {}
    for path in given:
        for folder in _runs_in(path):
            found.setdefault(folder.path.resolve(), folder)
    return [read_source(folder) for folder in found.values()]


def _runs_in(path: Path) -> list[RunFolder]:
    if not is_sweep(path):
        return [RunFolder(path)]
    inside = [RunFolder(marker.parent) for marker in sorted(path.glob(f"*/{MARKER}"), key=_natural)]
    runs = [folder for folder in inside if not folder.environment().get("joined")]
    if not runs:
        raise ValueError(f"{path} holds no run folder but a joined one")
    return runs


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sorts 2_a before 10_a."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.parent.name)]


def check_target(target: Path, sources: Sequence[Source]) -> None:
    """Raises ValueError for a folder that is one of the runs, lies in one, or holds what joining did not write."""
    own = target.resolve()
    for source in sources:
        if source.folder.path.resolve() in (own, *own.parents):
            raise ValueError(f"--to {target} is, or lies in, {source.label}, which is only read: give another folder")
    if not target.exists():
        return
    if not target.is_dir():
        raise ValueError(f"--to {target} is no folder")
    names = sorted(file.name for file in target.iterdir())
    others = [name for name in names if name not in KNOWN and not name.startswith(".unfinished-")]
    if others:
        raise ValueError(f"--to {target} holds {others[0]}, which is no file of a joined folder: give another folder")
    if [name for name in names if name != LOCK] and not _is_joined(target):
        raise ValueError(f"--to {target} holds {names[0]}, and is no joined folder: give another folder")


def _is_joined(target: Path) -> bool:
    try:
        return bool(RunFolder(target).environment().get("joined"))
    except ValueError:
        return False


def joined_environment(sources: Sequence[Source]) -> dict[str, Any]:
    """What environment.json says of joined runs: what they agree in, null elsewhere, and of each run what is its own."""
    each: list[Mapping[str, Any]] = [
        {name: value for name, value in source.environment.items() if name not in OF_EACH} for source in sources
    ]
    common = agreed(each)
    runs = [
        {"folder": "/".join(source.folder.path.resolve().parts[-2:])}
        | {name: value for name, value in one.items() if value != common[name]}
        | {"units": len(source.environment["units"]), "commands": source.environment.get("commands")}
        for source, one in zip(sources, each, strict=True)
    ]
    return common | {"joined": {"runs": runs}}
