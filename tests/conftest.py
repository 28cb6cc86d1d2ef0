"""What several test files share: the tiny random model and its tokenizer, built once, and the command."""

import logging
import os
import sys
from pathlib import Path

import pytest
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from tests.command import Command, command
from tests.own_heuristics import write_own_heuristics
from tokenrank.models.tiny import Tiny


@pytest.fixture(scope="session")
def tiny_model() -> PreTrainedModel:
    """Four random Llama layers, 4 heads over 2 key heads, tokens 0 to 255 and 256 for the end."""
    return Tiny(name="tiny").model()


@pytest.fixture(scope="session")
def byte_tokenizer() -> Tokenizer:
    """One token a byte."""
    return Tiny(name="tiny").tokenizer()


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command in this process, or the import of run.py, changes for the whole process ends with the test."""
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    log = logging.getLogger("tokenrank")
    for name, value in (("propagate", log.propagate), ("level", log.level), ("handlers", list(log.handlers))):
        monkeypatch.setattr(log, name, value)


@pytest.fixture
def tokenrank(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """``tokenrank("heuristic=claa", ...)`` is ``python run.py heuristic=claa ...``."""
    return command(monkeypatch, capsys, tmp_path)


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs draw nothing, which is most of the time of a small one."""
    monkeypatch.setattr("tokenrank.report.whole.write_report", lambda folder, **_: [])


@pytest.fixture
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """W&B has no key, no settings, and a server that is not there."""
    for name in [each for each in os.environ if each.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NETRC", str(tmp_path / "no_netrc"))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """For ``--config-dir``: a folder with ``heuristic=backwards``, whose class can be imported."""
    folder = str(write_own_heuristics(tmp_path / "theirs"))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "outside_heuristics", raising=False)
    return folder
