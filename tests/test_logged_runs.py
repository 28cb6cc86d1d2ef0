"""logger=wandb from end to end: a run is the same with and without a copy in Weights & Biases."""

import os
import sys
from pathlib import Path

import pytest
import yaml

from tests.command import SMALL, Command

ONE = (*SMALL, "task.depths=[0]")


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key, no settings, and a server that is not there."""
    for name in [each for each in os.environ if each.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NETRC", str(tmp_path / "no_netrc"))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")


def test_the_tables_are_the_same_with_and_without(tokenrank: Command, tmp_path: Path) -> None:
    tables = []
    for logger in ("none", "wandb"):
        folder = tmp_path / logger
        ended = tokenrank(*ONE, f"logger={logger}", f"hydra.run.dir={folder}")
        assert ended.code == 0, ended.err
        tables.append([(folder / f"{name}.parquet").read_bytes() for name in ("metrics", "summary")])
        assert (folder / "wandb").is_dir() == (logger == "wandb")
    assert tables[0] == tables[1]
    assert "W&B: offline, as there is no API key; `wandb sync" in ended.out
    ended = tokenrank(*ONE, "logger=wandb", f"hydra.run.dir={tmp_path / 'none'}")
    assert "1 of 1 units are done already" in ended.out
    assert (tmp_path / "none" / "wandb").is_dir()  # a finished run gets its copy later
    ended = tokenrank(*ONE, "overwrite=true", f"hydra.run.dir={tmp_path / 'wandb'}")
    assert ended.code == 0, ended.err
    assert not (tmp_path / "wandb" / "wandb").exists()  # no copy of a run that is gone


FAKE = """
import json, sys
class Settings:
    def __init__(self, **_): pass
def login(**_): return True
def init(*, config, **_):
    json.dump(config, open({file!r}, "w"))
    raise SystemExit("seen enough")
"""


def test_the_copys_config_is_the_runs_without_what_hydra_needs(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_pictures: None
) -> None:
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "wandb.py").write_text(
        FAKE.format(file=str(tmp_path / "seen.json")) + "class Table:\n    pass\nclass Run:\n    pass\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "fake"))
    ended = tokenrank(*ONE, "logger=wandb")
    assert ended.code == 0, ended.err
    assert "no copy in W&B: seen enough; the run folder is complete" in ended.err
    seen = yaml.safe_load((tmp_path / "seen.json").read_text())
    written = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert seen == {name: value for name, value in written.items() if name not in ("defaults", "hydra")}


def test_a_wandb_that_hangs_is_ended_and_the_run_is_not_the_worse_for_it(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_pictures: None
) -> None:
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "wandb.py").write_text("import time\ntime.sleep(600)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "fake"))
    ended = tokenrank(*ONE, "logger=wandb", "logger.timeout=1")
    assert ended.code == 0
    (warning,) = (line for line in ended.err.splitlines() if line.startswith("warning: "))
    assert "no copy in W&B: it was not done after 1 seconds" in warning
    assert (tmp_path / "run" / "metrics.parquet").is_file()


def test_wandb_is_not_even_imported_unless_asked_for(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_pictures: None
) -> None:
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    assert tokenrank(*ONE).code == 0
    assert "wandb" not in sys.modules
