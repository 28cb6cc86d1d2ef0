"""run.py as a user calls it, in this process (the fixture ``tokenrank`` of conftest.py)."""

import runpy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

ROOT = Path(__file__).parent.parent

SMALL = (
    "model=tiny",
    "task.lengths=[300]",
    "task.depths=[0,50]",
    "task.max_new_tokens=4",
    "metric=[recall]",
    "k=[5,10]",
)
PROGRESS = ("starting", "reading the tokenizer and the config of ", "making the prompts", "loading ")  # before an error


@dataclass(frozen=True)
class Ended:
    """How a call of run.py ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Ended]


def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """``python run.py ARGUMENTS`` in this process; the run folder is ``tmp_path / "run"`` unless an argument says."""

    def call(*arguments: str) -> Ended:
        GlobalHydra.instance().clear()
        monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
        chosen = "-m" in arguments or any("dir=" in each for each in arguments)
        folder = [] if chosen else [f"hydra.run.dir={tmp_path / 'run'}"]
        if not any(each.startswith("store=") for each in arguments):
            folder.append(f"store={tmp_path / 'store'}")
        monkeypatch.setattr("sys.argv", ["run.py", *arguments, *folder])
        code = 0
        try:
            runpy.run_path(str(ROOT / "run.py"), run_name="__main__")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        out, err = capsys.readouterr()
        return Ended(code, out, err)

    monkeypatch.chdir(tmp_path)
    return call


def refused(ended: Ended, sentence: str, folder: Path) -> None:
    """The run ended with code 2, said the sentence in one line and no table, and left no folder behind."""
    said = [line for line in ended.err.splitlines() if not line.startswith(PROGRESS)]
    assert ended.code == 2, ended.err
    assert len(said) == 1, ended.err
    assert said[0].startswith("error: "), said[0]
    assert sentence in said[0], said[0]
    assert ended.out == ""
    assert not (folder / "run").exists()
