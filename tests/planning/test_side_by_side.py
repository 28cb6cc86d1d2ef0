"""A study puts a setting's values side by side, says what is what, and ranks each as a run of its own would."""

import pandas as pd
import pytest
from omegaconf import DictConfig, OmegaConf

from tests.plans import CONFIGS, composed, plan, tables
from tokenrank.planning.settings import of_the_chosen
from tokenrank.planning.side_by_side import side_by_side

STUDIES = {
    "claa_window": {"claa_n": [1, 2, 4, 8, 12]},
    "kernel": {f"{name}_kernel": list(range(1, 32, 2)) for name in ("claa", "fastkv", "gemfilter")},
    "query_window": {f"{name}_window": [1, 2, 4, 8, 16, 32, 64] for name in ("claa", "fastkv", "snapkv")},
}


def config(*overrides: str) -> DictConfig:
    return of_the_chosen(composed(*overrides), CONFIGS)


@pytest.mark.parametrize("study", STUDIES)
def test_each_study_has_its_values_and_two_controls(study: str) -> None:
    found = side_by_side(config(f"experiment={study}"))
    points = [f"{name}{value}" for name, values in STUDIES[study].items() for value in values]
    assert list(found.heuristic) == [*points, "random", "oracle"]
    assert list(found.study.points) == points
    for name, point in found.study.points.items():
        node = found.heuristic[name]
        assert node[found.study.parameter] == point["value"]
        original = config(f"heuristic={point['heuristic']}").heuristic[point["heuristic"]]
        assert dict(node) == dict(original) | {found.study.parameter: point["value"]}  # all else as in its own config


def test_other_settings_hold_for_every_value() -> None:
    found = side_by_side(config("experiment=claa_window", "heuristic.claa.window=5", "study.values=[3,6]"))
    assert [(node.n, node.window) for name, node in found.heuristic.items() if "claa" in name] == [(3, 5), (6, 5)]


def test_a_study_follows_whichever_heuristics_are_chosen() -> None:
    found = side_by_side(config("experiment=kernel", "heuristic=[snapkv,tova]", "study.values=[1,3]"))
    assert list(found.heuristic) == ["snapkv_kernel1", "snapkv_kernel3", "tova"]


def test_the_given_config_stays_and_a_spelled_out_one_comes_back() -> None:
    given = config("experiment=claa_window")
    before = OmegaConf.to_yaml(given)
    once = side_by_side(given)
    assert OmegaConf.to_yaml(given) == before
    assert side_by_side(once) == once
    assert side_by_side(config()) == config()


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("study.values=[]", r"study\.values is \[\], must be a list of numbers"),
        ("study.values=4", r"study\.values is 4, must be a list of numbers"),
        ("study.values=[1,max]", r"must be a list of numbers"),
        ("study.values=[2,2]", r"holds a value twice: \[2, 2\]"),
        ("study.parameter=m", r"study\.parameter is 'm', must be .*: heads, kernel, n, seed, window"),
        ("study.scale=wide", r"study\.scale is 'wide', must be linear, or log"),
        ("~study.label", r"study lacks label"),
        ("study.parameter=_target_", r"study\.parameter is '_target_', must be a setting of a chosen heuristic"),
        ("study.parameter=5", r"study\.parameter is 5, must be of type str"),
        ("study.label=null", r"study\.label is None, must be of type str"),
        ("study.name=a/b", r"study\.name: id 'a/b' must be fit for a file's name"),
        ("+study.nonsense=1", r"study\.nonsense is not a setting; there are name, parameter, "),
        ("+study.points=5", r"study\.points is 5, must be left out"),
        ("+study.points.claa=5", r"study\.points is .*, must be left out"),
        ("+study.points.other={heuristic: claa, value: 1}", r"study\.points\.other is .*, must be heuristic and value"),
        ("+study.points.claa={heuristic: claa}", r"study\.points\.claa is .*, must be heuristic and value"),
        ("study.metric=recal", r"study\.metric is 'recal', must be one of the chosen: recall,"),
    ],
)
def test_studies_that_cannot_be_are_refused(setting: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        side_by_side(config("experiment=claa_window", setting))


@pytest.mark.parametrize("order", [("claa", "claa_n2"), ("claa_n2", "claa")])
def test_a_name_that_a_point_shares_with_another_heuristic_is_refused(order: tuple[str, str]) -> None:
    given = config("experiment=claa_window", "study.values=[1,2]")
    OmegaConf.set_struct(given, False)
    nodes = {"claa": given.heuristic.claa, "claa_n2": {"_target_": "tokenrank.heuristics.tova.TOVA"}}
    given.heuristic = {name: nodes[name] for name in order}
    with pytest.raises(ValueError, match=r"heuristic\.claa_n2 has the name that the study gives to one of its points"):
        side_by_side(given)


def test_a_heuristic_that_is_chosen_twice_has_points_of_both_names() -> None:
    given = config("experiment=claa_window", "heuristic=claa", "study.values=[1,2]")
    OmegaConf.set_struct(given, False)
    given.heuristic.summed = {**given.heuristic.claa, "heads": "sum"}
    found = side_by_side(given)
    assert list(found.heuristic) == ["claa_n1", "claa_n2", "summed_n1", "summed_n2"]
    assert [node.heads for node in found.heuristic.values()] == ["kv", "kv", "sum", "sum"]
    assert [point.heuristic for point in found.study.points.values()] == ["claa", "claa", "summed", "summed"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            ("experiment=kernel", "study.values=[3,4]"),
            r"^heuristic\.claa_kernel4: kernel is 4, must be odd and at least 1 token$",
        ),
        (
            ("experiment=query_window", "study.values=[8,300]"),
            r"^heuristic\.claa_window300 needs prompts of at least 301 tokens \(window=300, kernel=7\)",
        ),
    ],
)
def test_a_value_that_the_heuristic_or_a_prompt_refuses_is_named(settings: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        plan(*settings)


def test_each_value_ranks_as_in_a_run_of_its_own() -> None:
    study = tables("experiment=claa_window", "study.values=[1,2]").metrics
    alone = tables("heuristic=claa", "heuristic.claa.n=2").metrics

    def of(table: pd.DataFrame, name: str) -> list[float]:
        return [float(value) for value in table.loc[table["heuristic"] == name, "value"]]

    assert of(study, "claa_n2") == of(alone, "claa")
    assert of(study, "claa_n1") != of(alone, "claa")
    assert len(of(alone, "claa")) == 2 * 4 * 2  # prompts, layers, k


def test_the_plan_records_what_is_what() -> None:
    made = plan("experiment=claa_window", "study.values=[1,4]")
    assert made.config.study.points.claa_n4 == {"heuristic": "claa", "value": 4}
    assert made.rankings == ["claa_n1", "claa_n4", "random", "oracle"]
