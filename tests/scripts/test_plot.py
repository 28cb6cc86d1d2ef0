"""Drawing a run again: another k, half a run, and one sentence for what is no run."""

from pathlib import Path

import pytest

from scripts.plot import command
from tests.report.contestant_examples import accuracy_tables
from tests.report.run_folders import run_folder
from tests.report.test_report import a_ranking


def test_a_run_is_drawn_and_printed_again_at_another_k(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_folder(tmp_path, a_ranking(), environment={"units": ["a", "b", "c"]})
    assert command([str(tmp_path), "5"]) == 0
    assert (tmp_path / "plots" / "recall_at_5_layers.png").is_file()
    out, err = capsys.readouterr()
    assert "recall@5 " in out
    assert "half a run: 2 of 3 units are done" in out
    assert err == ""


def test_metrics_that_are_asked_for_are_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_folder(tmp_path, a_ranking())
    assert command([str(tmp_path), "jaccard,needle_recall", "5"]) == 0
    drawn = {file.stem for file in (tmp_path / "plots").glob("*_layers.png")}
    assert drawn == {"jaccard_at_5_layers", "needle_recall_at_5_layers"}
    assert capsys.readouterr().err == ""


def test_without_k_the_configs_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_folder(tmp_path, accuracy_tables())
    assert command([str(tmp_path)]) == 0
    assert (tmp_path / "plots" / "accuracy_against_kv.pdf").is_file()
    assert "claa" in capsys.readouterr().out


def test_a_picture_that_fails_is_a_warning_and_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_folder(tmp_path, a_ranking())
    monkeypatch.setattr("tokenrank.report.pictures.plots.heat_map", None)
    assert command([str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert err.startswith("warning: plots/recall_at_10_heatmap was not drawn: ")
    assert "recall@10" in out


def test_metrics_are_chosen_for_rankings_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_folder(tmp_path, accuracy_tables())
    assert command([str(tmp_path), "kl"]) == 2
    sentence = "metrics are kl, must not be given for this run: only those of evaluation=ranking are chosen"
    assert capsys.readouterr().err == f"error: {sentence}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no/such/folder"], "error: no/such/folder is no run folder: it has no environment.json"),
        (["{run}", "7"], "error: k is 7, must be one of this run's: 5, 10"),
        (
            ["{run}", "ten"],
            "error: metric 'ten' was not measured, must be all or of this run's: recall, needle_recall, jaccard",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    run_folder(tmp_path, a_ranking())
    assert command([each.format(run=tmp_path) for each in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "plots").exists()


def test_what_cannot_be_read_is_one_sentence_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError("environment.json: not allowed")

    monkeypatch.setattr("scripts.plot.with_tables", refused)
    assert command([str(tmp_path)]) == 2
    assert capsys.readouterr().err == "error: environment.json: not allowed\n"


@pytest.mark.parametrize("arguments", [["a", "5", "10"], ["a", "recall", "mass"], ["a", "--no"], []])
def test_other_arguments_print_the_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command(arguments)
    assert "plot.py: error: " in capsys.readouterr().err
