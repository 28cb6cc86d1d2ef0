"""Locks of a run folder: several processes may work in it, each unit is measured by one of them, and one writes tables."""

import contextlib
import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)  # what file systems without locks answer
TRIES = 100


class Unlockable(OSError):
    """A folder cannot be made, or holds no lock file."""


@contextmanager
def folder_lock(folder: Path, file: Path, seconds: float) -> Iterator[None]:
    """Inside the block no other process holds the folder, which is made if it is missing.

    Args:
        folder: to be held.
        file: in it, which is the lock while it is held.
        seconds: how long another process that holds it is waited for.

    Raises:
        Timeout: another process holds it all the time.
        Unlockable: the folder cannot be written.
    """
    lock = FileLock(file, timeout=seconds)
    try:
        _acquire(folder, lock)
    except OSError as error:
        if isinstance(error, Timeout):
            raise
        raise Unlockable(str(error)) from error
    try:
        yield
    finally:
        _release(lock)


@contextmanager
def claimed(folder: Path, unit: str) -> Iterator[bool]:
    """Inside the block nobody else has the claim to a unit; False where another process has it.

    The claim of a process that was killed ends with it. Where the file system knows no locks every claim is granted, and two
    processes may do the same work twice, with the same result.

    Args:
        folder: of the claims.
        unit: name of the unit.
    """
    lock = FileLock(folder / f"{unit}.lock", timeout=0, fallback_to_soft=False)  # a soft lock outlives its process
    try:
        _acquire(folder, lock)
    except Timeout:
        yield False
        return
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        yield True
        return
    try:
        yield True
    finally:
        _release(lock)
        with contextlib.suppress(OSError):  # others have claims
            folder.rmdir()


def _acquire(folder: Path, lock: FileLock) -> None:
    """Makes the folder and takes the lock in it, again if another process removed the empty folder in between."""
    for left in reversed(range(TRIES)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except (FileNotFoundError, FileExistsError):
            if not left:
                raise
        else:
            return


def _release(lock: FileLock) -> None:
    with contextlib.suppress(OSError):  # Windows removes no open file: there it stays
        Path(lock.lock_file).unlink()  # while it is held: who opened it meanwhile sees that it is gone
    lock.release()


def is_claimed(folder: Path) -> str | None:
    """Name of a unit that another process has a claim to; None if there is none."""
    for file in sorted(folder.glob("*.lock")):
        lock = FileLock(file, timeout=0, fallback_to_soft=False)
        try:
            lock.acquire()
            lock.release()
        except Timeout:
            return file.stem
        except OSError:
            continue
    return None
