"""whole_file and whole_folder: all or nothing, killed or not, with ordinary permissions; and the sweep after a kill."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tokenrank.records.files import PREFIX, sweep_unfinished, whole_file, whole_folder

ROOT = Path(__file__).parents[2]
WRITE_FILE = """
with whole_file(Path(sys.argv[1])) as temporary, temporary.open("w") as opened:
    opened.write("half of the new"); opened.flush(); print("midway", flush=True); time.sleep(60)
"""
WRITE_FOLDER = """
with whole_folder(Path(sys.argv[1])) as temporary:
    (temporary / "a.txt").write_text("half of the new"); print("midway", flush=True); time.sleep(60)
"""


def kill_midway(program: str, target: Path) -> None:
    """Starts a process that writes the target, and kills it once it is in the middle of that."""
    imports = "import sys, time; from pathlib import Path; from records.files import whole_file, whole_folder"
    with subprocess.Popen(
        [sys.executable, "-c", imports + program, str(target)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "midway\n"
        writer.send_signal(signal.SIGKILL)
    assert writer.returncode == -signal.SIGKILL


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


@contextmanager
def umask(value: int) -> Iterator[None]:
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_killed_writer_leaves_the_old_file_whole(tmp_path: Path) -> None:
    target = tmp_path / "table.txt"
    target.write_text("all of the old")
    kill_midway(WRITE_FILE, target)
    assert target.read_text() == "all of the old"
    (left,) = (each for each in tmp_path.iterdir() if each != target)
    assert left.read_text() == "half of the new"  # it was indeed midway
    sweep_unfinished(tmp_path)
    assert names(tmp_path) == ["table.txt"]


def test_a_killed_writer_leaves_no_folder(tmp_path: Path) -> None:
    target = tmp_path / "model"
    kill_midway(WRITE_FOLDER, target)
    assert not target.exists()
    assert len(names(tmp_path)) == 1
    sweep_unfinished(tmp_path)
    assert names(tmp_path) == []
    with whole_folder(target) as temporary:
        (temporary / "a.txt").write_text("all of it")
    assert (target / "a.txt").read_text() == "all of it"


def test_the_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folders" / "a.txt"
    with whole_file(target) as temporary:
        temporary.write_text("all of it")
        assert not target.exists()
        assert (temporary.parent, temporary.suffix) == (target.parent, ".txt")
    assert target.read_text() == "all of it"
    assert names(target.parent) == ["a.txt"]


def test_a_new_file_takes_the_place_of_the_old(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with whole_file(target) as temporary:
        temporary.write_text("new")
        written = temporary.stat().st_ino
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert target.stat().st_ino == written  # moved there, not copied


def test_an_exception_leaves_nothing_of_a_file(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def fail_midway() -> None:
        with whole_file(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError, match="disk on fire"):
        fail_midway()
    assert names(tmp_path) == ["a.txt"]
    assert target.read_text() == "old"


def test_an_exception_leaves_nothing_of_a_folder(tmp_path: Path) -> None:
    def stop_midway() -> None:
        with whole_folder(tmp_path / "model") as temporary:
            (temporary / "part").mkdir()
            (temporary / "part" / "a.txt").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_midway()
    assert names(tmp_path) == []


def test_a_folder_that_was_there_first_stays(tmp_path: Path) -> None:
    target = tmp_path / "model"
    for content in ("first", "second"):
        with whole_folder(target) as temporary:
            (temporary / "a.txt").write_text(content)
    assert (target / "a.txt").read_text() == "first"
    assert names(tmp_path) == ["model"]


def test_a_folder_keeps_its_folders(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "new" / "model") as temporary:
        (temporary / "part").mkdir()
        (temporary / "part" / "a.txt").write_text("deep")
    assert (tmp_path / "new" / "model" / "part" / "a.txt").read_text() == "deep"


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_permissions_follow_the_umask(tmp_path: Path, mask: int) -> None:
    with umask(mask):
        with whole_file(tmp_path / "a.txt") as temporary:
            temporary.write_text("whole")
        with whole_folder(tmp_path / "model") as temporary:
            (temporary / "b.txt").write_text("whole")
            (temporary / "b.txt").chmod(0o600)
        (tmp_path / "ordinary.txt").write_text("ordinary")
        (tmp_path / "ordinary").mkdir()
        assert os.umask(mask) == mask  # still as it was
    assert permissions(tmp_path / "a.txt") == permissions(tmp_path / "ordinary.txt") == 0o666 & ~mask
    assert permissions(tmp_path / "model") == permissions(tmp_path / "ordinary") == 0o777 & ~mask
    assert permissions(tmp_path / "model" / "b.txt") == 0o666 & ~mask


def test_the_sweep_takes_nothing_else(tmp_path: Path) -> None:
    for name in ("table.txt", f"not{PREFIX}really"):
        (tmp_path / name).write_text("mine")
    (tmp_path / (PREFIX + "file")).write_text("left")
    (tmp_path / (PREFIX + "folder")).mkdir()
    (tmp_path / (PREFIX + "folder") / "a.txt").write_text("left")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / (PREFIX + "file")).write_text("another's")
    sweep_unfinished(tmp_path)
    assert names(tmp_path) == ["deeper", f"not{PREFIX}really", "table.txt"]
    assert names(tmp_path / "deeper") == [PREFIX + "file"]
    sweep_unfinished(tmp_path / "none")
