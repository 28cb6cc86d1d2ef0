"""show.py on real runs: its counts are those of the tables; colours go to terminals only; bad input is one sentence."""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.show import command
from tests.command import ROOT
from tests.plans import plan
from tokenrank.models.tiny import Tiny
from tokenrank.records.record import Record
from tokenrank.records.run_folder import RunFolder
from tokenrank.report.page.levels import ALWAYS, FOUND, MISSED, WRONG
from tokenrank.report.page.token_view import view
from tokenrank.work.loading import load_model
from tokenrank.work.loop import run_unit

SAMPLE = "niah_300_50_0"


def measured(path: Path, *overrides: str, evaluation: str = "ranking") -> tuple[RunFolder, Record]:
    """A run folder with a prompt of a real run, and its record."""
    made = plan("task.depths=[50]", *overrides, evaluation=evaluation)
    load_model(made)
    record, measurement = run_unit(made, Tiny(name="tiny").model(), made.units[0], lambda _: None)
    folder = RunFolder(path)
    folder.begin({}, {record.unit: record.key}, "prefill:\n  window: 8\n")
    folder.write_record(record)
    assert measurement.levels is not None
    folder.write_levels(record.unit, measurement.levels)
    return folder, record


@pytest.fixture(scope="module")
def ranking(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, Record]:
    return measured(tmp_path_factory.mktemp("ranking"), "heuristic=[claa,random]")


def test_recall_of_every_ranking_layer_and_k_is_that_of_the_table(ranking: tuple[RunFolder, Record]) -> None:
    folder, record = ranking
    rows = record.rows
    rows = rows[(rows["metric"] == "recall") & rows["layer"].notna()]
    assert len(rows) == 2 * 2 * 4
    for row in rows.to_dict("records"):
        assert view(folder, SAMPLE, row["heuristic"], str(row["layer"]), float(row["k"])).recall == row["value"]


@pytest.mark.parametrize("evaluation", ["accuracy", "fidelity"])
def test_what_an_engine_kept_is_held_against_as_many_of_the_truth(tmp_path: Path, evaluation: str) -> None:
    folder, record = measured(tmp_path, "heuristic=[tova]", "prefill.keep=[20]", evaluation=evaluation)
    levels = folder.levels(SAMPLE)
    assert levels is not None
    importance = levels.importance[0].tolist()
    judged = range(300 - 8)  # every engine keeps the last tokens
    best = set(sorted(judged, key=lambda place: (-importance[place], place))[: 60 - 8])
    for run in record.runs:
        if run["heuristic"] is None:
            continue
        found = view(folder, SAMPLE, run["heuristic"], "20")
        kept = set(run["kept"]) & set(judged)
        assert {place for place in range(300) if found.kinds[place] == ALWAYS} == set(range(300)) - set(judged)
        assert {place for place in range(300) if found.kinds[place] == FOUND} == kept & best
        assert {place for place in range(300) if found.kinds[place] == MISSED} == best - kept
        assert {place for place in range(300) if found.kinds[place] == WRONG} == kept - best
        assert len(found.answers) == (2 if evaluation == "accuracy" else 1)


def test_it_prints_the_prompt_with_marks(ranking: tuple[RunFolder, Record], capsys: pytest.CaptureFixture[str]) -> None:
    folder, record = ranking
    assert command([str(folder.path), SAMPLE, "claa", "2", "--width", "70"]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0] == f"{SAMPLE}: claa at layer 2, best 10 % of 292 ranked tokens"
    assert "\x1b" not in out
    assert max(map(len, lines)) <= 70
    bare = out.split("\n\n", 2)[2].partition("\n\nfound")[0]
    for mark in ("[=", "[-", "[+", "]", "<<", ">>", "\\n", "\n", " "):
        bare = bare.replace(mark, "")
    text = str(record.sample["prompt"])
    for letter in ("\n", " "):
        text = text.replace(letter, "")
    assert bare == text


def test_colours_go_to_terminals_only(
    ranking: tuple[RunFolder, Record], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [str(ranking[0].path), SAMPLE, "claa", "2"]
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    command(arguments)
    assert "\x1b[" in capsys.readouterr().out
    command([*arguments, "--no-color"])
    monkeypatch.setenv("NO_COLOR", "1")
    command(arguments)
    assert "\x1b" not in capsys.readouterr().out


def test_bad_input_is_one_sentence_and_code_2(
    ranking: tuple[RunFolder, Record], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = str(ranking[0].path)
    for arguments, said in (
        ([path, "\x1b[2J", "claa", "2"], r"sample is '\x1b[2J', must be"),
        ([path, SAMPLE, "claa", "9"], "layer is 9, must be one of this run's: 0 to 3"),
        ([path, SAMPLE, "claa", "2", "--k", "7"], "--k is 7, must be one of this run's: 5, 10"),
        ([path, SAMPLE, "claa", "2", "--width", "3"], "--width is 3, must be at least 20"),
        ([str(tmp_path), SAMPLE, "claa", "2"], "is no run folder"),
    ):
        assert command(arguments) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert said in err
        assert err.count("\n") == 1
        assert "\x1b" not in err


@pytest.mark.parametrize(("layer", "code"), [("2", 0), ("9", 2)])
def test_the_command_ends_with_its_code(ranking: tuple[RunFolder, Record], layer: str, code: int) -> None:
    ended = subprocess.run(
        [sys.executable, ROOT / "scripts" / "show.py", ranking[0].path, SAMPLE, "claa", layer],
        capture_output=True,
        text=True,
    )
    assert ended.returncode == code, ended.stderr
    assert ("found " in ended.stdout) == (code == 0)
