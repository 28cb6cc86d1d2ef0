"""Collecting a run folder: one sentence for what is no run, for damaged records and for a config that cannot be read."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from scripts.collect import command
from tests.command import SMALL, Command


@pytest.fixture
def run(tokenrank: Command, tmp_path: Path, no_pictures: None) -> Path:
    """A finished run of two prompts."""
    assert tokenrank(*SMALL).code == 0
    return tmp_path / "run"


def refusal(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence of a call that is refused."""
    capsys.readouterr()
    assert command([str(folder)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    return err.removeprefix("error: ")


def test_what_is_no_run_is_refused_and_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is no run folder: it has no environment.json" in refusal(tmp_path / "none", capsys)
    assert not (tmp_path / "none").exists()
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "environment.json").write_text('{"a": 1}')
    assert "was not written by this version of tokenrank" in refusal(tmp_path / "theirs", capsys)
    assert [file.name for file in (tmp_path / "theirs").iterdir()] == ["environment.json"]


def test_without_a_folder_it_says_how_it_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["a", "--no"]):
        with pytest.raises(SystemExit, match="2"):
            command(arguments)
        assert "collect.py: error: " in capsys.readouterr().err


def test_a_damaged_record_is_named(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = run / "records" / "niah_300_0_0.parquet"
    record.write_bytes(record.read_bytes()[:-10])
    assert command([str(run)]) == 1
    ended = capsys.readouterr()
    assert f"warning: left out: {record} is not a record that can be read" in ended.err
    assert "half a run: 1 of 2 units are done" in ended.out


@pytest.mark.parametrize(
    "content", [None, "a: [", "a: 1\n", "- a\n", "evaluation: 5\n", "evaluation:\n  _target_: os.system\n"]
)
def test_a_config_that_says_nothing_of_the_evaluation_is_refused(
    run: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    if content is None:
        (run / "config.yaml").unlink()
    else:
        (run / "config.yaml").write_text(content)
    said = refusal(run, capsys)
    assert "config.yaml" in said or "evaluation" in said


def test_records_alone_make_the_same_tables(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    for table in copy.glob("*.parquet"):
        table.unlink()
    assert command([str(copy)]) == 0
    for table in run.glob("*.parquet"):
        assert (copy / table.name).read_bytes() == table.read_bytes()


def test_a_run_without_records_is_collected_too(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(run / "records")
    capsys.readouterr()
    assert command([str(run)]) == 0
    out = capsys.readouterr().out
    assert "no prompt could be measured" in out
    assert "half a run: 0 of 2 units are done" in out
    assert len(pd.read_parquet(run / "samples.parquet")) == 0


def test_a_picture_that_fails_is_a_warning_and_code_1(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tokenrank.report.pictures.plots.heat_map", None)
    assert command([str(run)]) == 1
    out, err = capsys.readouterr()
    assert "warning: plots/recall_at_10_heatmap was not drawn: " in err
    assert "recall@10" in out
