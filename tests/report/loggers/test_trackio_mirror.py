"""The copy for trackio, read back from its SQLite file: curves, means, config, prompts, pictures; and nothing is sent."""

import json
import os
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trackio", reason="trackio is not installed (docs/logging.md says how)")

from tests.report.mirror_examples import NAMES, OURS, made_up
from tokenrank.records.run_folder import RunFolder
from tokenrank.report.loggers.trackers import Trackio

WHOLE, CLAA = "claa-tiny-niah-0badcafe", "claa-0badcafe"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run folder with its copy."""
    made = made_up(tmp_path_factory.mktemp("run"))
    Trackio().mirror(made, NAMES)
    return made


def logged(home: Path, run: str) -> list[tuple[int, dict[str, Any]]]:
    """Steps and values of a run, in the order in which they were logged."""
    with sqlite3.connect(home / "tokenrank.db") as database:
        rows = database.execute("SELECT step, metrics FROM metrics WHERE run_name = ? ORDER BY id", (run,)).fetchall()
    return [(step, json.loads(metrics)) for step, metrics in rows]


def configs(home: Path) -> dict[str, Any]:
    with sqlite3.connect(home / "tokenrank.db") as database:
        rows = database.execute("SELECT run_name, config FROM configs").fetchall()
    return {name: json.loads(config) for name, config in rows}


def test_each_heuristic_is_a_run_whose_steps_are_layers(run: RunFolder) -> None:
    means, first, second = logged(run.path / "trackio", CLAA)
    wanted = {"recall@10.mean": 0.425, "recall@10.worst": 0.35, "spearman.mean": -0.5, "spearman.worst": -0.5}
    assert means == (0, {f"means/{name}": pytest.approx(value) for name, value in wanted.items()})
    assert first == (0, {"layer/recall@5": pytest.approx(0.2), "layer/recall@10": pytest.approx(0.4)})
    assert second[0] == 3
    assert second[1]["layer/spearman"] == -0.5
    assert second[1]["layer/recall@10"] == pytest.approx(0.45)


def test_config_prompts_and_pictures_are_there(run: RunFolder) -> None:
    home = run.path / "trackio"
    found = configs(home)
    assert set(found) == {WHOLE, CLAA, "chance-0badcafe"}
    assert found[CLAA]["model"] == {"name": "tiny"}
    assert {each["_Group"] for each in found.values()} == {WHOLE}
    ((_, whole),) = logged(home, WHOLE)
    assert [row["tokens"] for row in whole["prompts"]["_value"]] == [300, 301]
    picture = home / "media" / whole["plots/recall_at_10_layers"]["file_path"]
    assert picture.read_bytes() == (run.plots / "recall_at_10_layers.png").read_bytes()


def test_texts_are_in_the_table_where_they_were_asked_for(tmp_path: Path) -> None:
    Trackio(texts=True).mirror(made_up(tmp_path), NAMES)
    ((_, whole),) = logged(tmp_path / "trackio", WHOLE)
    first, second = whole["prompts"]["_value"]
    assert [first[name] for name in ("prompt", "references", "answer")] == [OURS] * 3
    assert second["error"] == f"OSError: {OURS}"


def test_runs_that_share_a_folder_stand_together_each_once(tmp_path: Path) -> None:
    shared = Trackio(folder=str(tmp_path / "all"))
    for name, names in (("a", NAMES), ("b", replace(NAMES, id="12345678")), ("a_again", NAMES)):
        shared.mirror(made_up(tmp_path / name), names)
    assert {name.rpartition("-")[2] for name in configs(tmp_path / "all")} == {"0badcafe", "12345678"}
    assert len(logged(tmp_path / "all", CLAA)) == len(logged(tmp_path / "all", "claa-12345678")) == 3
    assert not (tmp_path / "a" / "trackio").exists()


WATCH = """
import socket
_connect, _look_up = socket.socket.connect, socket.getaddrinfo
def note(what):
    open({file!r}, "a").write(str(what) + "\\n")
def connect(self, address):
    if self.family != socket.AF_UNIX:
        note(address)
    return _connect(self, address)
def look_up(*arguments, **more):
    note(arguments)
    return _look_up(*arguments, **more)
socket.socket.connect, socket.getaddrinfo = connect, look_up
"""


def test_nothing_is_sent_whatever_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch" / "sitecustomize.py").write_text(WATCH.format(file=str(tmp_path / "seen")))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "watch"), os.environ.get("PYTHONPATH", "")]))
    for name in ("SERVER_URL", "WEBHOOK_URL"):
        monkeypatch.setenv(f"TRACKIO_{name}", "http://127.0.0.1:9/?write_token=a")
    Trackio().mirror(made_up(tmp_path / "run"), NAMES)
    assert len(logged(tmp_path / "run" / "trackio", CLAA)) == 3
    assert not (tmp_path / "seen").exists()
    monkeypatch.setattr(Trackio, "environment", lambda *_: os.environ)  # the control: as the environment says
    Trackio(timeout=20).mirror(made_up(tmp_path / "control"), NAMES)
    assert "127.0.0.1" in (tmp_path / "seen").read_text()
