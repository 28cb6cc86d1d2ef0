"""The example as a script and as a notebook: both run on the tiny model, and hold the same code."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from tests.command import ROOT, Command

SCRIPT = ROOT / "examples" / "own_heuristic.py"
NOTEBOOK = ROOT / "examples" / "own_heuristic.ipynb"
CELL = "# %% "


def notebook() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return found


def code_cells() -> list[str]:
    return ["".join(cell["source"]) for cell in notebook()["cells"] if cell["cell_type"] == "code"]


@pytest.fixture(autouse=True)
def run_to_load(tokenrank: Command) -> None:
    """The run that the last cell loads, where it looks for it: in results/tiny, from the folder it is started in."""
    small = ("task.lengths=[200]", "task.depths=[50]", "task.max_new_tokens=4", "metric=recall", "k=[10]")
    assert tokenrank("model=tiny", *small, "hydra.run.dir=results/tiny").code == 0


def check(said: str) -> None:
    lines = said.splitlines()
    assert lines[0].split() == ["mean", "worst", "worst", "layer"]
    assert [line.split()[0] for line in lines[2:6]] == ["claa", "fastkv", "mine", "random"]
    assert all(0 < float(line.split()[1]) <= 1 for line in lines[2:6])
    loaded = [line.split() for line in lines if line.startswith("claa")]
    assert loaded[-1][1] == "recall"


def test_the_script_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(SCRIPT), run_name="__main__")
    check(capsys.readouterr().out)


def test_the_notebook_runs(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"__name__": "notebook"}
    for cell in code_cells():
        exec(compile(cell, NOTEBOOK.name, "exec"), names)  # noqa: S102
    check(capsys.readouterr().out)


def test_script_and_notebook_hold_the_same_code_and_titles() -> None:
    _, *cells = SCRIPT.read_text(encoding="utf-8").split(CELL)
    titles, codes = zip(*(cell.strip().split("\n", 1) for cell in cells), strict=True)
    assert [code.strip("\n") for code in codes] == code_cells()
    said = ["".join(cell["source"]) for cell in notebook()["cells"] if cell["cell_type"] == "markdown"]
    assert said[1:] == list(titles)


def test_the_notebook_is_clean() -> None:
    found = notebook()
    assert found["nbformat"] == 4
    assert NOTEBOOK.read_text(encoding="utf-8") == json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    for cell in found["cells"]:
        assert cell["id"]
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None


def test_the_run_folder_is_where_the_example_looks_for_it() -> None:
    assert 'Path("results/tiny")' in code_cells()[-1]
    assert Path("results/tiny/metrics.parquet").is_file()
