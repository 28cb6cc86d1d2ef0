"""Makefile: which torch an installation takes."""

import subprocess
from pathlib import Path

import pytest

from tests.command import ROOT


def planned(folder: Path, *arguments: str) -> list[str]:
    """The commands that ``make install`` would run, in a place where nothing is installed."""
    command = ["make", "--dry-run", "install", f"VENV={folder / 'venv'}", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize("kind", ["cpu", "cu126"])
def test_another_torch_is_installed_before_the_rest(tmp_path: Path, kind: str) -> None:
    """Then the rest finds it there: its version is the one in constraints.txt."""
    pip = [line for line in planned(tmp_path, f"TORCH={kind}") if " pip install " in line]
    assert len(pip) == 2
    assert pip[0].endswith(f"--index-url https://download.pytorch.org/whl/{kind} torch")
    assert "--constraint constraints.txt --no-deps" in pip[0]
    assert "--editable" in pip[1]


def test_without_it_the_package_index_decides(tmp_path: Path) -> None:
    lines = planned(tmp_path)
    assert sum(" pip install " in line for line in lines) == 1
    assert not any("pytorch.org" in line for line in lines)
