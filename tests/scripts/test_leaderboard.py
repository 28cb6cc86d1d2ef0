"""scripts/leaderboard.py as it is called."""

from pathlib import Path

import pytest

from scripts.leaderboard import command
from tests.report.contestant_examples import accuracy_tables
from tests.report.run_folders import run_folder
from tests.report.table_examples import ranking_tables, without_means


def test_a_page_is_written_and_what_is_left_out_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = run_folder(tmp_path / "a", ranking_tables({("claa", "gemfilter"): 0.01})).path
    same = run_folder(tmp_path / "b", ranking_tables(prompts=30)).path
    other = run_folder(tmp_path / "c", accuracy_tables()).path
    target = tmp_path / "board.html"
    assert command([*map(str, (first, same, other, tmp_path / "none")), "--to", str(target)]) == 0
    out, err = capsys.readouterr()
    assert out == f"{target}\n"
    assert err.splitlines() == [
        f"left out: {other} deviates from the protocol: evaluation is ranking in {first} and accuracy in {other}",
        f"left out: {tmp_path / 'none'} is no run folder: it has no environment.json",
    ]
    page = target.read_text()
    assert "<h1>Leaderboard: recall@10</h1>" in page
    assert 'data-value="30">30</td>' in page
    assert 'data-value="20">20</td>' not in page


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{none}"], "error: {none} is no run folder: it has no environment.json"),
        (["{a}", "--metric", "mass"], "error: {a} has no mass"),
        (["{a}", "--k", "7"], "error: {a}: k is 7, must be one of this run's: 5, 10"),
        (["{empty}"], "error: {empty} holds no mean over its prompts of any metric; see its summary.md"),
        (["{a}", "--keep", "20"], "error: {a} has no recall at keep=20"),
    ],
)
def test_bad_input_is_one_sentence_and_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"a": run_folder(tmp_path / "a", ranking_tables()).path, "none": tmp_path / "none"}
    names["empty"] = run_folder(tmp_path / "empty", without_means(ranking_tables())).path
    assert command([each.format(**names) for each in arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", said.format(**names) + "\n")
    assert not (tmp_path / "leaderboard.html").exists()
