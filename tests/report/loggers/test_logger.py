"""A copy elsewhere is made once of the same tables with the same settings, and never affects a run."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.report.mirror_examples import NAMES, made_up
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.run_names import Names
from tokenrank.report.loggers.logger import Logger, NullLogger

MADE: list[str] = []  # what the loggers below copied


@dataclass(frozen=True)
class Counting(Logger):
    """Notes each copy; fails if it is told to."""

    texts: bool = False
    error: str | None = None

    def copy(self, folder: RunFolder, names: Names) -> str:
        """The number of copies."""
        if self.error is not None:
            raise KeyError(self.error)
        MADE.append(f"{folder.path.name} {self.texts}")
        return f"copy {len(MADE)} of {names.name}"


class Other(Counting):
    """Another tracker."""


@pytest.fixture(autouse=True)
def nothing_made() -> None:
    MADE.clear()


def test_a_run_is_copied_once_to_each_tracker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = made_up(tmp_path / "run")
    for logger in (Counting(), Counting(), Other(), Counting(), Other()):
        logger.mirror(run, NAMES)
    assert MADE == ["run False"] * 2
    first, second = "copy 1 of claa-tiny-niah", "copy 2 of claa-tiny-niah"
    again = " (copied before)"
    assert capsys.readouterr().out.splitlines() == [first, first + again, second, first + again, second + again]


def test_other_settings_or_tables_are_copied_again(tmp_path: Path) -> None:
    run = made_up(tmp_path / "run")
    Counting().mirror(run, NAMES)
    Counting(texts=True).mirror(run, NAMES)
    run.write_tables(run.tables())  # collected again: the same bytes
    Counting(texts=True).mirror(run, NAMES)
    assert MADE == ["run False", "run True"]
    tables = run.tables()
    tables.samples.loc[0, "tokens"] = 299  # a prompt that was measured again
    run.write_tables(tables)
    Counting(texts=True).mirror(run, NAMES)
    assert len(MADE) == 3


def test_a_copy_that_failed_is_one_line_and_tried_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = made_up(tmp_path / "run")
    Counting(error="no\nway").mirror(run, NAMES)
    out, err = capsys.readouterr()
    assert (out, err) == ("", "warning: no copy by Counting: 'no\\nway'; the run folder is complete\n")
    Counting().mirror(run, NAMES)
    assert MADE == ["run False"]


def test_a_damaged_note_or_folder_is_no_error_of_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = made_up(tmp_path / "run")
    (run.path / "copies.json").write_text("[1")
    Counting().mirror(run, NAMES)
    assert MADE == ["run False"]
    (run.path / "metrics.parquet").write_text("no table")
    Counting().mirror(run, NAMES)
    assert capsys.readouterr().err.startswith("warning: no copy by Counting: ")


def test_of_two_processes_one_makes_the_copy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = made_up(tmp_path / "run")
    with run.claimed("Counting copy"):
        Counting().mirror(run, NAMES)
    assert capsys.readouterr().out == "Counting: another process is making the copy\n"
    Counting().mirror(run, NAMES)
    assert MADE == ["run False"]


def test_the_null_logger_leaves_everything_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    NullLogger().mirror(RunFolder(tmp_path), NAMES)
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "")
