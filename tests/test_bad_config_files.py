"""Configs of the user's own: what is wrong in one is said in one sentence, and no code of it runs that is not a part of a run."""

from pathlib import Path

import pytest

from tests.command import SMALL, Command, refused

TARGET = "_target_: tokenrank.heuristics.claa.CLAA"
RECORDER = """
from pathlib import Path

CALLS = Path(__file__).with_name("calls")

def function(*args, **kwargs):
    CALLS.write_text("function")

class NoHeuristic:
    def __init__(self, *args, **kwargs):
        CALLS.write_text("class")
"""

FILES = [
    ("slip", f"slip:\n  {TARGET.replace('target', 'tagret')}\n", "heuristic.slip has no _target_"),
    ("open", "open:\n  _target_: [x\n", "a config file is not valid YAML: "),
    ("tabs", f"tabs:\n\t{TARGET}\n", "a config file is not valid YAML: "),
    ("twice", f"a:\n  {TARGET}\na:\n  {TARGET}\n", "found duplicate key a"),
    ("typo", f"typo:\n  {TARGET}\n  windwo: 3\n", "heuristic.typo.windwo is not a setting; there are heads, kernel, n"),
    ("wrong", f"wrong:\n  {TARGET}\n  window: wide\n", "heuristic.wrong.window is 'wide', must be of type int"),
    ("text", "just a text\n", "must be a mapping with a _target_"),
    ("list", "- a\n- b\n", "heuristic is ['a', 'b'], must be chosen"),
    ("empty", "", "heuristic chooses nothing"),
    ("lost", f"lost:\n  {TARGET}\n  n: ${{nowhere}}\n", "Interpolation key 'nowhere' not found"),
    ("module", "module:\n  _target_: no_such_module.X\n", "'no_such_module.X', which cannot be imported"),
    ("member", "member:\n  _target_: tokenrank.heuristics.claa.X\n", "which cannot be imported"),
    ("model", "model:\n  _target_: tokenrank.models.tiny.Tiny\n", "must be a subclass of "),
    ("full", "full:\n  _target_: tokenrank.heuristics.tova.TOVA\n", "heuristic.full has the name of the full prefill"),
]


@pytest.mark.parametrize(("name", "content", "sentence"), FILES)
def test_a_config_file_that_is_wrong_is_refused_not_dropped(
    tokenrank: Command, tmp_path: Path, name: str, content: str, sentence: str
) -> None:
    (tmp_path / "own" / "heuristic").mkdir(parents=True)
    (tmp_path / "own" / "heuristic" / f"{name}.yaml").write_text(content)
    for heuristic in (name, f"[{name},tova]") if name in ("slip", "typo") else (name,):
        evaluation = "accuracy" if name == "full" else "ranking"
        chosen = (f"heuristic={heuristic}", f"evaluation={evaluation}")
        refused(tokenrank("--config-dir", str(tmp_path / "own"), *SMALL, *chosen), sentence, tmp_path)


def test_a_file_that_is_not_utf_8_is_refused(tokenrank: Command, tmp_path: Path) -> None:
    (tmp_path / "own" / "heuristic").mkdir(parents=True)
    (tmp_path / "own" / "heuristic" / "bytes.yaml").write_bytes(b"\xff\xfe")
    ended = tokenrank("--config-dir", str(tmp_path / "own"), *SMALL, "heuristic=bytes")
    refused(ended, "a file is not UTF-8 text: ", tmp_path)


def test_a_config_folder_that_is_not_there_is_named(tokenrank: Command, tmp_path: Path) -> None:
    refused(tokenrank("--config-dir", str(tmp_path / "none"), *SMALL), f"{tmp_path / 'none'}", tmp_path)


def test_an_experiment_that_overrides_no_group_is_refused(tokenrank: Command, tmp_path: Path) -> None:
    (tmp_path / "own" / "experiment").mkdir(parents=True)
    (tmp_path / "own" / "experiment" / "slip.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /heuristc: claa\n"
    )
    ended = tokenrank("--config-dir", str(tmp_path / "own"), *SMALL, "experiment=slip")
    refused(ended, "Could not override 'heuristc'", tmp_path)


CALLED = [
    *[
        f"{place}._target_={{}}"
        for place in (
            "heuristic.claa", "model", "task", "oracle.attention", "metric.recall", "evaluation", "logger", "prefill.engine.claa",
        )
    ],
    "heuristic.claa.window={{_target_:{}}}",
    "heuristic.claa.window=[{{_target_:{}}}]",
    "+heuristic.claa.extra={{_target_:{},_args_:[1]}}",
    "metric.recall.measure={{_target_:{},_partial_:false}}",
    "heuristic.claa={{_target_:{},_partial_:true}}",
]  # fmt: skip


@pytest.mark.parametrize("setting", CALLED)
@pytest.mark.parametrize("target", ["recorder.function", "recorder.NoHeuristic"])
def test_a_target_that_is_no_part_of_a_run_is_never_called(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, target: str
) -> None:
    (tmp_path / "recorder.py").write_text(RECORDER)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "recorder", raising=False)
    evaluation = ("evaluation=accuracy",) if setting.startswith("prefill") else ()
    ended = tokenrank(*SMALL, *evaluation, setting.format(target))
    refused(ended, "", tmp_path)
    assert not (tmp_path / "calls").exists()


@pytest.mark.parametrize("target", ["sympy.sympify", "os.system", "tokenrank.heuristics.heuristic.Heuristic"])
def test_a_target_elsewhere_is_refused(tokenrank: Command, tmp_path: Path, target: str) -> None:
    refused(tokenrank(*SMALL, f"heuristic.claa._target_={target}"), "heuristic.claa", tmp_path)
