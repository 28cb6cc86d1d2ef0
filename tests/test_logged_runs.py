"""logger= from end to end: a run is the same with and without a copy, and whatever becomes of the tracker."""

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from tests.command import SMALL, Command, refused

ONE = (*SMALL, "task.depths=[0]")


@pytest.fixture(autouse=True)
def nobody(no_account: None) -> None:
    """In every test."""


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


DYING = """
import importlib
_import = importlib.import_module
def import_module(name, package=None):
    module = _import(name, package)
    if name == "tokenrank.report.loggers.{tracker}_mirror":
        def die(*_, **__):
            {death}
        setattr(module, {half_way!r}, die)
    return module
importlib.import_module = import_module
"""
HALF_WAY = {
    "wandb": "as_table",
    "tensorboard": "write_contestant",
    "trackio": "contestant_logs",
}  # when some is written
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
    assert "no copy by WandB: seen enough; the run folder is complete" in ended.err
    seen = yaml.safe_load((tmp_path / "seen.json").read_text())
    written = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert seen == {name: value for name, value in written.items() if name not in ("defaults", "hydra")}


DEATHS = {  # what a tracker's package does in the middle of its work -> what is said of it
    "raise RuntimeError('broken')": "broken",
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)": "it was ended by signal 9",
    "import time; time.sleep(600)": "it was not done after 15 seconds",
}


@pytest.mark.parametrize("tracker", HALF_WAY)
def test_a_tracker_that_dies_in_the_middle_is_one_warning_and_the_run_is_whole(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_pictures: None, tracker: str
) -> None:
    if find_spec(tracker) is None:
        pytest.skip(f"{tracker} is not installed (docs/logging.md)")
    assert tokenrank(*ONE, f"hydra.run.dir={tmp_path / 'without'}").code == 0
    (tmp_path / "dying").mkdir()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "dying"), os.environ.get("PYTHONPATH", "")]))
    for death, said in DEATHS.items():  # a copy that failed is tried again
        dying = DYING.format(tracker=tracker, death=death, half_way=HALF_WAY[tracker])
        (tmp_path / "dying" / "sitecustomize.py").write_text(dying)
        ended = tokenrank(*ONE, f"logger={tracker}", f"logger.timeout={15 if 'sleep' in death else 120}")
        assert ended.code == 0
        (warning,) = (line for line in ended.err.splitlines() if line.startswith("warning: "))
        assert warning.endswith(f": {said}; the run folder is complete")
        assert any(file.is_file() for file in (tmp_path / "run" / tracker).rglob("*"))  # it was in the middle
        assert not (tmp_path / "run" / "copies.json").exists()
    for name in ("metrics.parquet", "summary.parquet"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "without" / name).read_bytes()


def test_wandb_is_not_even_imported_unless_asked_for(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_pictures: None
) -> None:
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    assert tokenrank(*ONE).code == 0
    assert "wandb" not in sys.modules


@pytest.mark.parametrize("tracker", ["tensorboard", "trackio"])
def test_a_tracker_that_is_not_installed_is_said_before_the_run(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracker: str
) -> None:
    monkeypatch.setattr("tokenrank.report.loggers.trackers.find_spec", lambda _: None)
    refused(tokenrank(*ONE, f"logger={tracker}"), f"needs a package: pip install 'tokenrank[{tracker}]'", tmp_path)


def test_a_second_logger_gets_its_copy_and_each_gets_one(tokenrank: Command, tmp_path: Path, no_pictures: None) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed (pip install 'tokenrank[tensorboard]')")
    for logger in ("wandb", "tensorboard", "wandb", "tensorboard"):
        assert tokenrank(*ONE, f"logger={logger}").code == 0
    assert len(list(tmp_path.glob("run/wandb/offline-run-*"))) == 1
    assert len(list(tmp_path.glob("run/tensorboard/claa/events.*"))) == 1
    assert set(json.loads((tmp_path / "run" / "copies.json").read_text())) == {"WandB", "TensorBoard"}
