"""The command that writes report.html: its path, and one sentence for bad input."""

from pathlib import Path

import pytest

from scripts.report import command
from tests.report.page_examples import ranking_run


def test_the_page_is_written_and_its_path_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "a run=~"
    ranking_run(folder)
    assert command([str(folder)]) == 0
    out, err = capsys.readouterr()
    assert out == f"{folder / 'report.html'}\n"
    assert err == ""
    assert Path(out.strip()).read_text("utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["a", "--no"]])
def test_other_arguments_print_the_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command(arguments)
    assert capsys.readouterr().err.startswith("usage: report.py [-h] FOLDER\nreport.py: error: ")


def test_what_is_no_run_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command([str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"error: {tmp_path} is no run folder: it has no environment.json\n"
