"""Config nodes become objects; what is wrong with one is said with the setting's full name."""

import pytest
from omegaconf import OmegaConf
from tokenrank.evaluation.building import build, build_all

from tokenrank.heuristics.claa import CLAA
from tokenrank.heuristics.fastkv import FastKV
from tokenrank.tasks.niah import NeedleInAHaystack

NIAH = {"_target_": "tokenrank.tasks.niah.NeedleInAHaystack", "lengths": [100], "depths": [0, 50.5]}


def test_a_node_becomes_its_class_with_plain_lists() -> None:
    assert build(OmegaConf.create(NIAH), "task") == NeedleInAHaystack(lengths=[100], depths=[0, 50.5])


def test_a_group_is_built_leaf_by_leaf() -> None:
    group = {
        "x": {"_target_": "tokenrank.heuristics.claa.CLAA", "n": 2},
        "y": {"_target_": "tokenrank.heuristics.fastkv.FastKV"},
    }
    assert build_all(OmegaConf.create({"heuristic": group}), "heuristic") == {"x": CLAA(n=2), "y": FastKV()}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"lengths": "many"}, r"task\.lengths is 'many', must be of type list"),
        ({"lengths": [1.5]}, r"task\.lengths is \[1\.5\]"),
        ({"samples": True}, r"task\.samples is True, must be of type int \| null"),
        ({"chat_template": 1}, r"task\.chat_template is 1, must be of type bool"),
        ({"depths": [200]}, "task: task.depths holds 200"),
        ({"colour": "red"}, "task: .*colour"),
        ({"_target_": "tokenrank.tasks.niah.NoSuchTask"}, "task: .*NoSuchTask"),
        ({"_target_": "no_such_module.Task"}, "task: .*no_such_module"),
    ],
)
def test_what_is_wrong_is_said_with_its_name(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        build(OmegaConf.create(NIAH | change), "task")


@pytest.mark.parametrize("group", [{}, None])
def test_an_empty_group_is_refused(group: object) -> None:
    with pytest.raises(ValueError, match="heuristic chooses nothing"):
        build_all(OmegaConf.create({"heuristic": group}), "heuristic")
