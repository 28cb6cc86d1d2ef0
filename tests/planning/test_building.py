"""Config nodes become objects of their group's classes; nothing else is called, and what is wrong is said with its full name."""

import pytest
from omegaconf import OmegaConf

from tests.doubles import CALLED
from tokenrank.evaluation.evaluation import Evaluation
from tokenrank.evaluation.universe import Universe
from tokenrank.heuristics.claa import CLAA
from tokenrank.heuristics.fastkv import FastKV
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.metrics.metric import Metric
from tokenrank.oracle.bound import Bound
from tokenrank.planning.building import build, build_all, check_settings, naming
from tokenrank.tasks.niah import NeedleInAHaystack
from tokenrank.tasks.task import Task

NIAH = {"_target_": "tokenrank.tasks.niah.NeedleInAHaystack", "lengths": [100], "depths": [0, 50.5]}
RECALL = {
    "_target_": "tokenrank.metrics.metric.Metric",
    "measure": {"_target_": "tokenrank.metrics.recall.recall_at_k", "_partial_": True},
    "chance": {"_target_": "tokenrank.metrics.metric.share_kept", "_partial_": True},
    "at_k": True,
}


def test_a_node_becomes_its_class_with_plain_lists() -> None:
    assert build(OmegaConf.create(NIAH), "task", Task) == NeedleInAHaystack(lengths=[100], depths=[0, 50.5])


def test_a_group_is_built_leaf_by_leaf() -> None:
    group = {
        "x": {"_target_": "tokenrank.heuristics.claa.CLAA", "n": 2},
        "y": {"_target_": "tokenrank.heuristics.fastkv.FastKV"},
        "z": {"_target_": "tokenrank.oracle.bound.Bound"},
    }
    found = build_all(OmegaConf.create({"heuristic": group}), "heuristic", (Heuristic, Bound))
    assert found == {"x": CLAA(n=2), "y": FastKV(), "z": Bound()}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"lengths": "many"}, r"^task\.lengths is 'many', must be a list of whole numbers, as in \[1,2\]$"),
        ({"lengths": [1.5]}, r"^task\.lengths is \[1\.5\], must be a list of whole numbers"),
        ({"depths": ["deep"]}, r"^task\.depths is \['deep'\], must be a list of numbers, as in \[1,2\.5\]$"),
        ({"samples": True}, r"^task\.samples is True, must be of type int or null$"),
        ({"chat_template": 1}, r"^task\.chat_template is 1, must be of type bool$"),
        ({"depths": [200]}, r"^task\.depths holds 200"),
        ({"colour": "red"}, r"^task\.colour is not a setting"),
        (
            {"_target_": "tokenrank.tasks.niah.NoSuchTask"},
            r"^task\._target_ is .*NoSuchTask', which cannot be imported",
        ),
        ({"_target_": "no_such_module.Task"}, r"^task\._target_ is 'no_such_module\.Task', which cannot be imported"),
        ({"_target_": 5}, r"^task\._target_ is 5, which cannot be imported"),
    ],
)
def test_what_is_wrong_is_said_with_its_name(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        build(OmegaConf.create(NIAH | change), "task", Task)


@pytest.mark.parametrize(
    "target",
    [
        "tests.doubles.function", "tests.doubles.Stranger", "tests.doubles.Noting", "os.getcwd", "builtins.print",
        "tokenrank.heuristics.claa.CLAA", "tokenrank.tasks.niah",
    ],
)  # fmt: skip
def test_what_is_no_class_of_the_group_is_refused_before_it_is_called(target: str) -> None:
    CALLED.clear()
    with pytest.raises(ValueError, match=r"^task\._target_ is .*, must be a subclass of tokenrank\.tasks\.task\.Task$"):
        build(OmegaConf.create({"_target_": target}), "task", Task)
    assert CALLED == []


def test_what_is_a_class_of_the_group_is_called_once() -> None:
    CALLED.clear()
    build(OmegaConf.create({"_target_": "tests.doubles.Noting"}), "heuristic.noting", Heuristic)
    assert CALLED == ["Noting"]


def test_wrong_settings_are_refused_before_the_class_is_called() -> None:
    CALLED.clear()
    with pytest.raises(ValueError, match=r"^heuristic\.noting\.window is 'wide', must be of type int$"):
        build(OmegaConf.create({"_target_": "tests.doubles.Noting", "window": "wide"}), "heuristic.noting", Heuristic)
    assert CALLED == []


@pytest.mark.parametrize(
    ("key", "value"),
    [("_partial_", True), ("_partial_", False), ("_args_", [1]), ("_recursive_", False), ("_convert_", "all")],
)
def test_hydras_own_keys_are_no_settings(key: str, value: object) -> None:
    CALLED.clear()
    with pytest.raises(ValueError, match=rf"^heuristic\.noting\.{key} is not a setting$"):
        build(OmegaConf.create({"_target_": "tests.doubles.Noting", key: value}), "heuristic.noting", Heuristic)
    assert CALLED == []


def test_private_fields_are_no_settings() -> None:
    node = {"_target_": "tokenrank.evaluation.accuracy.Accuracy", "keep": [10], "_private": None}
    with pytest.raises(ValueError, match=r"^evaluation\._private is not a setting$"):
        build(OmegaConf.create(node), "evaluation", Evaluation)


@pytest.mark.parametrize("partial", [{}, {"_partial_": False}, {"_partial_": "true"}, {"_partial_": 1}])
@pytest.mark.parametrize("inner", ["in a list", "as it is"])
def test_inner_targets_must_be_partial_and_are_not_called(partial: dict[str, object], inner: str) -> None:
    CALLED.clear()
    called: object = {"_target_": "tests.doubles.function", **partial}
    node = OmegaConf.create(RECALL | {"measure": [called] if inner == "in a list" else called})
    with pytest.raises(
        ValueError, match=r"^metric\.recall\.measure has a _target_, so it must also say _partial_: true"
    ):
        build(node, "metric.recall", Metric)
    assert CALLED == []


def test_partial_inner_targets_are_functions_for_later() -> None:
    CALLED.clear()
    node = OmegaConf.create(RECALL | {"measure": {"_target_": "tests.doubles.function", "_partial_": True}})
    build(node, "metric.recall", Metric)
    assert CALLED == []


def test_hydras_other_keys_are_refused_inside_too() -> None:
    measure = {"_target_": "tests.doubles.function", "_partial_": True, "_args_": [1]}
    with pytest.raises(ValueError, match=r"^metric\.recall\.measure\._args_ is not a setting$"):
        build(OmegaConf.create(RECALL | {"measure": measure}), "metric.recall", Metric)


@pytest.mark.parametrize("node", [5, "claa", None, ["claa"]])
def test_a_node_that_is_no_mapping_is_refused(node: object) -> None:
    with pytest.raises(ValueError, match=r"^heuristic\.claa is .*, must be a mapping with a _target_"):
        build(OmegaConf.create({"node": node}).node, "heuristic.claa", Heuristic)


def test_a_node_without_a_target_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^heuristic\.claa has no _target_, which must name its class$"):
        build(OmegaConf.create({"n": 2}), "heuristic.claa", Heuristic)


@pytest.mark.parametrize("group", [{}, None])
def test_an_empty_group_is_refused(group: object) -> None:
    with pytest.raises(ValueError, match="heuristic chooses nothing"):
        build_all(OmegaConf.create({"heuristic": group}), "heuristic", Heuristic)


@pytest.mark.parametrize("group", ["claa", 5, ["claa"]])
def test_a_group_that_is_no_mapping_is_refused(group: object) -> None:
    with pytest.raises(ValueError, match=r"^heuristic is .*, must be a name or a list of names"):
        build_all(OmegaConf.create({"heuristic": group}), "heuristic", Heuristic)


def test_a_dataclass_of_settings_has_exactly_its_fields() -> None:
    check_settings(Universe, {"of": "prompt", "window": 8}, "universe")
    for settings, sentence in (
        ({"of": "prompt", "window": 8, "windows": 8}, r"universe\.windows is not a setting; there are of, window"),
        ({"of": "prompt"}, r"universe\.window is missing"),
        ({"of": "prompt", "window": True}, r"universe\.window is True, must be of type int"),
        (8, "universe is 8, must be a mapping"),
    ):
        with pytest.raises(ValueError, match=f"^{sentence}$"):
            check_settings(Universe, settings, "universe")


def test_errors_of_a_block_get_the_name_of_the_setting() -> None:
    with pytest.raises(ValueError, match=r"^heuristic\.claa: no$"), naming("heuristic.claa"):
        raise ValueError("no")
