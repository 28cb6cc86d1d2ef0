"""Files and folders that appear whole or not at all, even if the process is killed while it writes."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = ".unfinished-"


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


@contextmanager
def whole_file(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """A temporary path in the same folder; what was written there becomes ``path`` when the block ends without error.

    The file gets the permissions that an ordinary new file would have, and its folder is made if it is missing. Unless it is
    ``durable``, a machine that loses power may leave a damaged file; a process that is killed leaves none in either case.

    >>> folder = Path(tempfile.mkdtemp())
    >>> with whole_file(folder / "a.txt") as temporary:
    ...     _ = temporary.write_text("all of it")
    >>> (folder / "a.txt").read_text()
    'all of it'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=PREFIX, suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        if durable:
            _to_disk(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """As ``whole_file`` for a folder that does not exist yet; for one that does, the new one is thrown away."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=PREFIX, dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        for file in temporary.rglob("*"):
            if file.is_file():
                file.chmod(0o666 & ~_umask())
                _to_disk(file)
        if not path.exists():
            temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def sweep_unfinished(folder: Path, older_than: float = 0.0) -> None:
    """Removes what a killed process left of ``whole_file`` and ``whole_folder`` directly in ``folder``.

    Args:
        folder: that they wrote into; it need not exist.
        older_than: seconds since the last change; what is younger may be of a process that is still writing.
    """
    for left in folder.glob(PREFIX + "*"):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime < older_than:
                continue
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _to_disk(file: Path) -> None:
    with file.open("r+b") as opened:  # fsync of a handle that only reads fails on Windows
        os.fsync(opened.fileno())
