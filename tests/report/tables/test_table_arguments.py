"""The arguments that table.py and leaderboard.py share, and the metric that is shown where none is asked for."""

from pathlib import Path
from types import ModuleType

import pytest

from scripts import collect, leaderboard, plot, report, table
from tests.report.run_folders import run_folder
from tests.report.table_examples import ranking_tables
from tokenrank.report.tables.table_arguments import first_run, table_parser


def test_folders_and_numbers_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    found = table_parser("a", None).parse_args(["~/x y", "z", "--k", "5", "--keep", "20", "--metric", "loss"])
    assert found.folders == [Path("/home/me/x y"), Path("z")]
    assert (found.metric, found.k, found.keep) == ("loss", 5.0, 20.0)


def test_the_declared_metric_of_the_first_run_is_shown(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, ranking_tables()).path
    run, metric = first_run(folder, None, 5.0)
    assert (run.name, run.k, metric) == (str(folder), 5.0, "recall")
    assert first_run(folder, "spearman", None)[1] == "spearman"


@pytest.mark.parametrize("module", [collect, leaderboard, plot, report, table])
def test_help_ends_with_0_and_a_home_that_is_none_with_a_sentence(
    module: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        module.command(["--help"])
    assert str(module.__doc__).splitlines()[2].strip() in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        module.command(["~nobody-of-this-name/run"])
    assert "~nobody-of-this-name/run is in no home folder: " in capsys.readouterr().err


@pytest.mark.parametrize("command", [table.command, leaderboard.command])
def test_both_commands_have_them(command: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(command)
    with pytest.raises(SystemExit):
        command(["--help"])
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("FOLDER", "--metric", "--k", "--keep", "--to"))
