"""Scripts that read a folder have the tables of all its records: made where they are lacking, of a sweep's runs together."""

from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from scripts import leaderboard, plot, report, show, table
from tests.joinable import measured, written
from tokenrank.evaluation.plan import Plan
from tokenrank.records.record import Record
from tokenrank.records.run_folder import RunFolder
from tokenrank.work.made_tables import with_records, with_tables


@cache
def run(heuristic: str) -> tuple[Plan, list[Record]]:
    return measured(f"heuristic=[{heuristic}]")


def half(path: Path, heuristic: str = "tova", records: int = 1) -> RunFolder:
    """A run that was killed before its tables were written."""
    made, found = run(heuristic)
    assert len(found) > 1
    return RunFolder(written(path, made, found[:records]))


def add(folder: RunFolder, heuristic: str = "tova") -> None:
    """The rest of its records."""
    for record in run(heuristic)[1]:
        folder.write_record(record)


def ids(folder: RunFolder) -> list[str]:
    return list(pd.read_parquet(folder.path / "samples.parquet")["id"])


def test_tables_are_made_where_they_lack_a_record_and_else_stay(tmp_path: Path) -> None:
    folder = half(tmp_path)
    units = list(folder.environment()["units"])
    assert ids(with_tables(tmp_path)) == units[:1]
    add(folder)
    assert ids(with_tables(tmp_path)) == units
    before = {file.name: file.stat().st_mtime_ns for file in tmp_path.glob("*.parquet")}
    with_tables(tmp_path)
    assert {file.name: file.stat().st_mtime_ns for file in tmp_path.glob("*.parquet")} == before
    (tmp_path / "summary.parquet").unlink()
    (tmp_path / "samples.parquet").write_bytes(b"damaged")
    with_tables(tmp_path)
    assert (tmp_path / "summary.parquet").is_file()
    assert ids(folder) == units


def test_tables_without_records_stay(tmp_path: Path) -> None:
    folder = half(tmp_path)
    with_tables(tmp_path)
    before = (tmp_path / "metrics.parquet").read_bytes()
    for file in folder.record_files():
        file.unlink()
    assert with_tables(tmp_path).path == tmp_path
    assert (tmp_path / "metrics.parquet").read_bytes() == before
    (tmp_path / "samples.parquet").write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"samples\.parquet cannot be read"):
        with_tables(tmp_path)


def test_why_there_are_none_is_said(tmp_path: Path) -> None:
    half(tmp_path / "begun", records=0)
    with pytest.raises(ValueError, match="has no record of a prompt yet: the command of the run goes on with it"):
        with_tables(tmp_path / "begun")
    with pytest.raises(ValueError, match="none is no run folder"):
        with_tables(tmp_path / "none")
    for name, setting in (("one", "seed=0"), ("other", "universe.window=4")):
        made, found = measured("heuristic=[tova]", setting)
        written(tmp_path / "sweep" / name, made, found)
    with pytest.raises(ValueError, match=r"cannot be joined: universe\.window is 8 in the first and 4 in the second"):
        with_tables(tmp_path / "sweep")


def test_the_runs_of_a_sweep_are_joined_again_only_where_records_are_others(tmp_path: Path) -> None:
    first, _ = half(tmp_path / "a"), half(tmp_path / "b", "random", 2)
    folder = with_records(tmp_path)
    assert folder.path == tmp_path / "joined"
    before = (folder.path / "environment.json").stat().st_mtime_ns
    assert with_records(tmp_path).path == folder.path
    assert (folder.path / "environment.json").stat().st_mtime_ns == before
    names = {"tova", "random"}
    assert set(pd.read_parquet(with_tables(tmp_path).path / "metrics.parquet")["heuristic"].dropna()) == names
    add(first)
    metrics = pd.read_parquet(with_tables(tmp_path).path / "metrics.parquet")
    assert metrics[metrics["heuristic"] == "tova"]["sample"].nunique() == 2
    assert (folder.path / "environment.json").stat().st_mtime_ns != before


@pytest.mark.parametrize("sweep", [False, True])
def test_commands_show_a_killed_run_and_a_sweep(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, sweep: bool
) -> None:
    monkeypatch.setattr("scripts.plot.draw", lambda *_: [])
    for name, command in (("r", report.command), ("p", plot.command), ("t", table.command), ("l", leaderboard.command)):
        folder = tmp_path / name
        half(folder / "a" if sweep else folder)
        more = ["--to", str(tmp_path / "board.html")] if name == "l" else []
        assert command([str(folder), *more]) == 0, capsys.readouterr().err
        made = folder / "joined" if sweep else folder
        assert len(ids(RunFolder(made))) == 1
        out, err = capsys.readouterr()
        assert "making the tables of" in err
        assert out
    page = tmp_path / "r" / ("joined" if sweep else ".") / "report.html"
    assert "half a run: 1 of 2 units are done" in page.read_text()


def test_show_looks_for_the_prompt_among_the_joined_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample = half(tmp_path / "a").record_files()[0].stem
    assert show.command([str(tmp_path), sample, "tova", "0"]) == 2  # these runs kept no levels
    assert f"{tmp_path / 'joined'} has no levels/{sample}.parquet" in " ".join(capsys.readouterr().err.split())
