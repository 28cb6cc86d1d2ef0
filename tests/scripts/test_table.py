"""scripts/table.py as it is called: formats, several runs, and one sentence for bad input."""

import csv
from pathlib import Path

import pytest

from scripts.table import command
from tests.report.contestant_examples import accuracy_tables
from tests.report.run_folders import CONFIG, run_folder
from tests.report.table_examples import ranking_tables, with_tests, without_means

PROVEN = {("claa", "gemfilter"): 0.01}


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    """Two rankings and a run of contestants."""
    run_folder(tmp_path / "a b", ranking_tables(PROVEN))
    run_folder(tmp_path / "c", ranking_tables(prompts=3), environment={"units": list("abcd")})
    run_folder(tmp_path / "d", with_tests(accuracy_tables()), CONFIG + "evaluation:\n  protect: window\n")
    return [str(tmp_path / name) for name in ("a b", "c", "d")]


def test_two_runs_stand_below_each_other(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command([*runs[:2], "--metric", "recall", "--k", "10", "--against", "gemfilter"]) == 2
    assert "must be left out: " in capsys.readouterr().err  # the second run compares nothing
    assert command([*runs[:2], "--metric", "recall", "--k", "5"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "## recall@5" in out
    assert "half a run: 3 of 4 units are done" in out
    assert out.count("| claa |") == 2


def test_without_a_metric_the_declared_one_is_shown(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command([runs[0], "--against", "gemfilter"]) == 0
    out = capsys.readouterr().out
    assert "## recall@10" in out
    assert "| claa | **0.500**\u2020 [0.450, 0.550] |" in out
    assert command([runs[2], "--keep", "20"]) == 0
    assert "## accuracy" in capsys.readouterr().out


def test_formats_follow_the_option_or_the_file(
    runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "t.tex"
    assert command([runs[0], "--to", str(target)]) == 0
    assert target.read_text().startswith("% Compiles by itself: latexmk -pdf t.tex")
    assert capsys.readouterr().out == f"{target}\n"
    assert command([runs[0], "--format", "csv", "--to", str(tmp_path / "t.md")]) == 0
    with (tmp_path / "t.md").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["metric"] for row in rows} == {"recall"}
    assert {row["k"] for row in rows} == {"10.0"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{a}", "{d}"], "error: runs cannot stand in one table: evaluation is ranking in {a} and accuracy in {d}"),
        (["{a}", "--k", "7"], "error: {a}: k is 7, must be one of this run's: 5, 10"),
        (["{a}", "--metric", "mass"], "error: metric is 'mass', must be one of those of {a}: recall, spearman"),
        (
            ["{a}", "--against", "nobody"],
            "error: against is 'nobody', must be one of the methods that {a} compares: claa, gemfilter",
        ),
        (["no/such"], "error: no/such is no run folder: it has no environment.json"),
        (["{none}"], "error: {none} holds no mean over its prompts of any metric; see its summary.md"),
        (["{none}", "--metric", "recall"], "error: {none} holds no mean over its prompts of any metric"),
        (["{a}", "{none}"], "error: {none} holds no mean over its prompts of any metric"),
        (["{a}", "--to", "{a}/config.yaml/t.md"], "error: "),
    ],
)
def test_bad_input_is_one_sentence_and_code_2(
    runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    none = run_folder(tmp_path / "none", without_means(ranking_tables())).path
    names = {"a": runs[0], "d": runs[2], "none": str(none)}
    assert command([each.format(**names) for each in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(said.format(**names))
    assert len(err.splitlines()) == 1
