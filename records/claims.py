"""Claims: several processes may work in one run folder, and each unit is measured by one of them at a time."""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def claimed(folder: Path, unit: str) -> Iterator[bool]:
    """Inside the block nobody else has the claim to a unit; False where another process has it.

    The claim of a process that was killed ends with it. Where the file system knows no locks every claim is granted, and two
    processes may do the same work twice, with the same result.

    Args:
        folder: of the claims.
        unit: name of the unit.
    """
    lock = FileLock(folder / f"{unit}.lock", timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        yield False
        return
    except NotImplementedError:
        yield True
        return
    try:
        yield True
    finally:
        with contextlib.suppress(OSError):  # Windows removes no open file: there it stays
            Path(lock.lock_file).unlink()  # while it is held: who opened it meanwhile sees that it is gone
        lock.release()
        with contextlib.suppress(OSError):  # others have claims
            folder.rmdir()


def is_claimed(folder: Path) -> str | None:
    """Name of a unit that another process has a claim to; None if there is none."""
    for file in sorted(folder.glob("*.lock")):
        lock = FileLock(file, timeout=0)
        try:
            lock.acquire()
            lock.release()
        except Timeout:
            return file.stem
        except (NotImplementedError, OSError):
            continue
    return None
