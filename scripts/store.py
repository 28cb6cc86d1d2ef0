"""Shows, checks or prunes the store of answers, truths, rankings, losses and values (docs/store.md).

    python scripts/store.py [FOLDER] show      entries and bytes of each kind and model
    python scripts/store.py [FOLDER] check     reads every entry, and names those that are damaged
    python scripts/store.py [FOLDER] prune     removes damaged entries, and what writers left that were killed

FOLDER is the setting ``store`` of the runs; without it, the one that they use by default. Installed: python -m tokenrank.store.
Runs may read and write the store meanwhile. Exit codes: 0; 1 if an entry is damaged (check) or could not be removed (prune); 2 for bad input.
"""

import argparse
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tokenrank.records.cache_folder import default_store
from tokenrank.records.digests import digest
from tokenrank.records.store import KINDS
from tokenrank.records.store_files import StoredFile, entry_files, unfinished_files
from tokenrank.records.visible_text import say

DAY, GB = 24 * 3600, 1e9  # seconds, bytes
WRITING = 3600  # seconds: a younger unfinished file may have a writer


def show(store: Path) -> int:
    """Prints a line for each kind and model; of the entries only the headers are read."""
    entries, sizes = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for file in entry_files(store):
        row = (file.kind, _model_of(file))
        entries[row] += 1
        sizes[row] += file.bytes
    rows = [
        (*row, str(entries[row]), in_units(sizes[row]))
        for row in sorted(entries, key=lambda row: (KINDS.index(row[0]), row[1]))
    ]
    rows.append(("all", "", str(entries.total()), in_units(sizes.total())))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    print(store)
    for kind, model, count, size in rows:
        print(f"{kind:<{widths[0]}}  {model:<{widths[1]}}  {count:>{widths[2]}} entries  {size:>{widths[3]}}")
    if left := unfinished_files(store):
        print(f"{len(left)} unfinished files, {in_units(_bytes(left))}")
    return 0


def check(store: Path) -> int:
    """Reads every entry; prints one line for each that is damaged."""
    files = entry_files(store)
    damaged = [said for file in files if (said := file.damage()) is not None]
    print(*damaged, f"{len(files)} entries, {len(damaged)} damaged", sep="\n")
    return 1 if damaged else 0


def prune(store: Path, kind: str | None, older: float | None, keep: float | None, *, dry: bool) -> int:
    """Removes damaged entries and old unfinished files; of the chosen entries all, or the old ones, or what is too much.

    Args:
        store: the folder.
        kind: only entries of this kind are chosen; None: of all kinds.
        older: entries that were not used for so many days.
        keep: the chosen entries may keep so many GB; those that were used longest ago go first.
        dry: nothing is removed.
    """
    now = time.time()
    left = [file for file in unfinished_files(store) if now - file.used > WRITING]
    files = entry_files(store)
    damaged = [file for file in files if file.damage() is not None]
    sound = set(files) - set(damaged)
    chosen = sorted((file for file in sound if kind in (None, file.kind)), key=lambda file: (file.used, file.path))
    if older is None and keep is None:
        others = chosen if kind is not None else []
    else:
        old = [file for file in chosen if older is not None and now - file.used > older * DAY]
        others = old + (_too_much(chosen[len(old) :], keep) if keep is not None else [])
    going = [*left, *damaged, *others]
    failures = [] if dry else [said for file in going if (said := _remove(file.path)) is not None]
    print(*failures, sep="\n", end="\n" if failures else "")
    done = "would free" if dry else "freed"
    print(
        f"{done} {in_units(_bytes(going))}: {len(left)} unfinished files, {len(damaged)} damaged entries, "
        f"{len(others)} other entries"
    )
    return 1 if failures else 0


def in_units(size: float) -> str:
    """Bytes as a human reads them.

    >>> in_units(812), in_units(3_400_000)
    ('812 bytes', '3.4 MB')
    """
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size:.0f} bytes"


def _model_of(file: StoredFile) -> str:
    """The entry's model, as far as its fields say it: source, hub id, dtype, and the first digits of a digest of all these."""
    fields = file.fields()
    if fields is None:
        return "(damaged)"
    model: Any = fields.get("model")
    if not isinstance(model, dict):
        return str(model)
    return " ".join([*(str(model[name]) for name in ("source", "id", "dtype") if name in model), digest(model)[:8]])


def _too_much(files: list[StoredFile], keep: float) -> list[StoredFile]:
    """The first files, as many as must go until the others have at most ``keep`` GB."""
    kept = 0
    for number, file in reversed([*enumerate(files)]):
        kept += file.bytes
        if kept > keep * GB:
            return files[: number + 1]
    return []


def _remove(path: Path) -> str | None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        return f"{path} cannot be removed: {error.strerror or error}"
    return None


def _bytes(files: Iterable[StoredFile]) -> int:
    return sum(file.bytes for file in files)


def _at_least_0(text: str) -> float:
    value = float(text)
    if not 0 <= value < math.inf:
        raise ValueError(text)
    return value


def command(arguments: list[str]) -> int:
    """``[FOLDER] show|check|prune [--kind KIND] [--older DAYS] [--keep GB] [--dry]``."""
    parser = argparse.ArgumentParser("store", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("action", choices=("show", "check", "prune"))
    parser.add_argument("--kind", choices=KINDS, help="prune: only entries of this kind; alone: all of them")
    parser.add_argument("--older", type=_at_least_0, metavar="DAYS", help="prune: entries not used for so many days")
    parser.add_argument(
        "--keep", type=_at_least_0, metavar="GB", help="prune: entries used longest ago, until so much is left"
    )
    parser.add_argument("--dry", action="store_true", help="prune: says what would be removed, and removes nothing")
    asked = parser.parse_args(arguments)
    actions: dict[str, Callable[[Path], int]] = {
        "show": show, "check": check,
        "prune": lambda store: prune(store, asked.kind, asked.older, asked.keep, dry=asked.dry),
    }  # fmt: skip
    if asked.action != "prune" and (asked.kind or asked.older is not None or asked.keep is not None or asked.dry):
        parser.error("--kind, --older, --keep and --dry belong to prune")
    try:
        store = default_store() if asked.folder is None else asked.folder.expanduser()
        if not store.is_dir():
            raise ValueError(f"{store} is no folder: nothing is stored there")
        return actions[asked.action](store)
    except (ValueError, OSError) as error:
        say(f"error: {error}")
        return 2


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
