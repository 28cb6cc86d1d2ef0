"""A run folder is ours only if its marker says so; what is not ours is never removed."""

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.records.test_record import record
from tokenrank.records import run_folder
from tokenrank.records.files import PREFIX
from tokenrank.records.run_files import FILES, FOLDERS, MARKER, OF_LOGGERS
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.schema import METRICS, RUNS, SAMPLES, SUMMARY, table
from tokenrank.records.tables import Tables


def run(path: Path) -> RunFolder:
    """A finished run."""
    folder = RunFolder(path)
    with folder.locked():
        folder.begin({"host": "here"}, {"a": "key"}, "seed: 0\n")
        folder.write_record(record())
        folder.write_tables(Tables(table([], METRICS), table([], SUMMARY), table([], SAMPLES), table([], RUNS)))
        folder.plots.mkdir(exist_ok=True)
        (folder.plots / "a.png").write_text("picture")
    return folder


def test_a_run_that_replaces_another_leaves_other_files_alone(tmp_path: Path) -> None:
    folder = run(tmp_path / "run")
    for mine in ("notes.txt", "plots/sketch.svg", "records/notes.md"):
        (tmp_path / "run" / mine).write_text("mine")
    with folder.locked():
        folder.remove_run()
        folder.begin({}, {}, "seed: 1\n")
    left = sorted(str(file.relative_to(tmp_path / "run")) for file in (tmp_path / "run").rglob("*") if file.is_file())
    assert left == ["config.yaml", MARKER, "notes.txt", "plots/sketch.svg", "records/notes.md"]
    assert folder.config.read_text() == "seed: 1\n"


@pytest.mark.parametrize("name", [*FILES, *FOLDERS, *OF_LOGGERS])
def test_a_file_of_ours_by_name_alone_is_refused_and_stays(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(ValueError, match=name.replace(".", r"\.")), RunFolder(tmp_path).locked():
        pytest.fail("entered")
    assert (tmp_path / name).read_text() == "mine"
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("content", ['{"python": "3.11"}', "[]", "not json", '{"format": "tokenrank run folder 1"}'])
def test_a_marker_of_another_program_or_version_does_not_make_a_folder_ours(tmp_path: Path, content: str) -> None:
    (tmp_path / MARKER).write_text(content)
    (tmp_path / "config.yaml").write_text("mine")
    with pytest.raises(ValueError, match="which no run of this version wrote"), RunFolder(tmp_path).locked():
        pytest.fail("entered")
    assert (tmp_path / "config.yaml").read_text() == "mine"


@pytest.mark.parametrize("name", ["plots", "records", "config.yaml", MARKER])
def test_a_link_is_refused_and_its_target_stays(tmp_path: Path, name: str) -> None:
    folder = run(tmp_path / "run")
    target = tmp_path / "target"
    target.mkdir()
    (target / "a.png").write_text("mine")
    place = tmp_path / "run" / name
    place.rename(tmp_path / "moved")
    place.symlink_to(target)
    with pytest.raises(ValueError, match="is a link"), folder.locked():
        pytest.fail("entered")
    assert (target / "a.png").read_text() == "mine"


def test_what_marks_a_run_is_removed_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = run(tmp_path / "run")
    removed: list[str] = []
    unlink: Callable[..., None] = Path.unlink

    def noted(self: Path, missing_ok: bool = False) -> None:
        if self.exists():
            removed.append(self.name)
        unlink(self, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", noted)
    with folder.locked():
        folder.remove_run()
    ours = removed[: removed.index(MARKER) + 1]
    assert {"config.yaml", "a.png", "a.parquet", "metrics.parquet"} <= set(ours)


def test_a_run_that_goes_on_keeps_all_files_and_says_who_worked_on_it(tmp_path: Path) -> None:
    folder = run(tmp_path / "run")
    before = {file: file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()}
    with folder.locked():
        assert folder.begun
        folder.begin({"host": "there"}, {"a": "key", "b": "other"}, "seed: 0\n")
    for file, content in before.items():
        assert file.name == MARKER or file.read_bytes() == content
    assert [each["host"] for each in folder.environment()["commands"]] == ["here", "there"]
    assert folder.environment()["units"] == {"a": "key", "b": "other"}


def test_what_a_killed_process_left_is_removed_once_nobody_can_be_writing_it(tmp_path: Path) -> None:
    folder = run(tmp_path / "run")
    old, new = (tmp_path / "run" / "records" / f"{PREFIX}{name}.parquet" for name in ("old", "new"))
    for file in (old, new):
        file.write_text("half a rec")
    os.utime(old, (0, 0))
    with folder.locked():
        folder.begin({}, {"a": "key"}, "")
    assert new.exists()
    assert not old.exists()


def test_a_run_without_records_is_discarded_unless_another_command_has_begun_it_too(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with folder.locked():
        folder.begin({}, {"a": "key"}, "seed: 0\n")
    with folder.locked():
        folder.begin({}, {"a": "key"}, "seed: 0\n")
    with folder.locked():
        folder.discard()
    assert folder.begun  # the other one may be loading its model
    with folder.locked():
        folder.remove_run()
        folder.begin({}, {"a": "key"}, "seed: 0\n")
        folder.discard()
    assert not folder.path.exists()


def test_a_run_whose_unit_is_being_measured_is_not_removed(tmp_path: Path) -> None:
    folder = run(tmp_path / "run")
    other, done = claiming(tmp_path / "run")
    with folder.claimed("a") as mine:
        assert not mine
    with folder.claimed("b") as mine:
        assert mine
    with folder.locked(), pytest.raises(ValueError, match=r"another process is measuring a in .*: end it first"):
        folder.remove_run()
    assert folder.record_file("a").exists()
    done.set()
    other.join()
    with folder.claimed("a") as mine:
        assert mine
    with folder.locked():
        folder.remove_run()
    assert not folder.path.exists()


def test_the_claim_of_a_killed_process_ends_with_it(tmp_path: Path) -> None:
    folder = run(tmp_path / "run")
    other, _ = claiming(tmp_path / "run")
    other.kill()
    other.join()
    with folder.claimed("a") as mine:
        assert mine


def claiming(path: Path) -> tuple[Any, Any]:
    """A process that has the claim to the unit a, and the event that ends it."""
    context = multiprocessing.get_context("fork")
    claimed, done = context.Event(), context.Event()
    other = context.Process(target=_claim, args=(path, claimed, done))
    other.start()
    assert claimed.wait(30)
    return other, done


def _claim(path: Path, claimed: Any, done: Any) -> None:
    with RunFolder(path).claimed("a") as mine:
        assert mine
        claimed.set()
        done.wait(60)


def _enter(path: Path, outcome: "multiprocessing.Queue[str]") -> None:
    run_folder.PATIENCE = 0.1
    try:
        with RunFolder(path).locked():
            outcome.put("entered")
    except ValueError as error:
        outcome.put(str(error))


def test_a_second_process_is_refused_until_the_first_is_done(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    outcome: multiprocessing.Queue[str] = context.Queue()
    with RunFolder(tmp_path).locked():
        other = context.Process(target=_enter, args=(tmp_path, outcome))
        other.start()
        assert "another process has been writing tables into" in outcome.get(timeout=30)
        other.join()
        (tmp_path / "kept").write_text("")
    other = context.Process(target=_enter, args=(tmp_path, outcome))
    other.start()
    assert outcome.get(timeout=30) == "entered"
    other.join()


def test_a_folder_in_which_nothing_was_written_is_gone(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "new").locked():
        assert (tmp_path / "new").is_dir()
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ValueError, match="cannot be written"), RunFolder(tmp_path / "new").locked():
        pytest.fail("entered")


def test_a_file_in_the_place_of_the_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="cannot be written"), RunFolder(tmp_path / "file").locked():
        pytest.fail("entered")


def test_records_come_in_the_order_of_the_plan(tmp_path: Path) -> None:
    folder = with_records(tmp_path)
    found, refused = folder.records()
    assert [each.unit for each in found] == ["z", "a", "m"]
    assert refused == []


def with_records(path: Path) -> RunFolder:
    """A run of three units, all of them done."""
    folder = RunFolder(path)
    folder.begin({}, dict.fromkeys(("z", "a", "m"), record().key), "")
    for number, unit in enumerate(("z", "a", "m")):
        folder.write_record(record(unit=unit, number=number))
    return folder


def test_a_record_that_is_damaged_copied_or_of_another_run_is_named_and_left_out(tmp_path: Path) -> None:
    folder = with_records(tmp_path)
    place = tmp_path / "records"
    (place / "copy.parquet").write_bytes((place / "a.parquet").read_bytes())
    folder.write_record(record(unit="b", number=9))
    (place / "z.parquet").write_bytes(b"half")
    found, refused = folder.records()
    assert [each.unit for each in found] == ["a", "m"]
    assert len(refused) == 3
    for line, file in zip(refused, ("b.parquet", "copy.parquet", "z.parquet"), strict=True):
        assert line.startswith("left out: ")
        assert file in line


def test_tables_are_read_back_with_their_columns(tmp_path: Path) -> None:
    found = run(tmp_path / "run").tables()
    assert list(found.metrics) == list(METRICS)
    assert list(found.summary) == list(SUMMARY)
    (tmp_path / "run" / "summary.parquet").unlink()
    with pytest.raises(ValueError, match=r"no summary\.parquet: collect its records first"):
        RunFolder(tmp_path / "run").tables()


def test_a_folder_of_something_else_is_no_run_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no run folder"):
        RunFolder(tmp_path).environment()
