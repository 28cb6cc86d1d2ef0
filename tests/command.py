"""run.py as a user calls it, in this process (the fixture ``tokenrank`` of conftest.py)."""

import runpy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

ROOT = Path(__file__).parent.parent


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
        folder = [] if any("dir=" in each for each in arguments) else [f"hydra.run.dir={tmp_path / 'run'}"]
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
