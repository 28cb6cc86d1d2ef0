"""Locks of units and folders: held by one process, whatever others remove meanwhile."""

import errno
import fcntl
import multiprocessing
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tokenrank.records.claims import Unlockable, claimed, folder_lock, is_claimed

CLAIMS = ".claims"


def _claim_often(folder: Path, outcome: "multiprocessing.Queue[list[str]]") -> None:
    """Claims units and holds a folder again and again; both folders are removed whenever they are empty."""
    errors = []
    for number in range(400):
        try:
            with claimed(folder / CLAIMS, f"unit{number % 3}"):
                pass
            with folder_lock(folder / "run", folder / "run" / "lock", 30):
                pass
        except OSError as error:
            errors.append(repr(error))
        with suppress(OSError):
            (folder / "run").rmdir()
    outcome.put(errors)


def test_a_folder_that_another_process_removes_meanwhile_is_made_again(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    outcome: multiprocessing.Queue[list[str]] = context.Queue()
    others = [context.Process(target=_claim_often, args=(tmp_path, outcome)) for _ in range(3)]
    for each in others:
        each.start()
    assert [outcome.get(timeout=60) for _ in others] == [[], [], []]
    for each in others:
        each.join()


def test_a_file_in_the_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    with pytest.raises(Unlockable, match="File exists"), folder_lock(tmp_path / "run", tmp_path / "run" / "lock", 1):
        pass


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK])
def test_where_the_file_system_knows_no_locks_every_claim_is_granted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """And no file of a killed process, which would be a lock there, keeps anybody out."""

    def refused(*_: Any) -> None:
        raise OSError(code, "no locks")

    monkeypatch.setattr(fcntl, "flock", refused)
    (tmp_path / "a.lock").write_text("999999999\nelsewhere\n")
    with claimed(tmp_path, "a") as first, claimed(tmp_path, "a") as second:
        assert first
        assert second
    assert is_claimed(tmp_path) is None


def test_another_error_of_the_file_system_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(fcntl, "flock", broken)
    with pytest.raises(OSError, match="broken"), claimed(tmp_path, "a"):
        pass
