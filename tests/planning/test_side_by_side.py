"""A study puts a setting's values side by side, says what is what, and ranks each as a run of its own would."""

from pathlib import Path

import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from tokenrank.evaluation.composing import register
from tokenrank.evaluation.preparation import of_the_chosen
from tokenrank.evaluation.studying import side_by_side

from tests.command import ROOT, Command

CONFIGS = ROOT / "configs"
SMALL = ("model=tiny", "task.lengths=[300]", "task.depths=[0,50]", "task.max_new_tokens=4", "metric=[recall]")
STUDIES = {
    "claa_window": {"claa_n": [1, 2, 4, 8, 12]},
    "kernel": {f"{name}_kernel": list(range(1, 32, 2)) for name in ("claa", "fastkv", "gemfilter")},
    "query_window": {f"{name}_window": [1, 2, 4, 8, 16, 32, 64] for name in ("claa", "fastkv", "snapkv")},
}


def config(*overrides: str) -> DictConfig:
    register(CONFIGS)
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return of_the_chosen(compose("run", list(overrides)))


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
        ("study.metric=recal", r"study\.metric is 'recal', must be one of the chosen: recall,"),
    ],
)
def test_studies_that_cannot_be_are_refused(setting: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        side_by_side(config("experiment=claa_window", setting))


def test_a_value_that_the_heuristic_refuses_is_named(tokenrank: Command, tmp_path: Path) -> None:
    ended = tokenrank(*SMALL, "experiment=kernel", "study.values=[3,4]")
    assert (ended.code, ended.err) == (
        2,
        "error: heuristic.claa_kernel4: kernel is 4, must be odd and at least 1 token\n",
    )
    ended = tokenrank(*SMALL, "experiment=query_window", "study.values=[8,300]")
    assert "heuristic.claa_window300.window=300 is not below the 300 tokens" in ended.err
    assert not (tmp_path / "run").exists()


def test_each_value_ranks_as_in_a_run_of_its_own(tokenrank: Command, tmp_path: Path) -> None:
    ended = tokenrank(*SMALL, "experiment=claa_window", "study.values=[1,2,4]")
    assert ended.code == 0, ended.err
    tokenrank(*SMALL, "heuristic=claa", "heuristic.claa.n=2", f"hydra.run.dir={tmp_path / 'alone'}")
    study, alone = (pd.read_parquet(tmp_path / name / "metrics.parquet") for name in ("run", "alone"))

    def of(table: pd.DataFrame, name: str) -> list[float]:
        rows = table[(table["heuristic"] == name) & table["sample"].notna()]
        return [float(value) for value in rows["value"]]

    assert of(study, "claa_n2") == of(alone, "claa")
    assert of(study, "claa_n1") != of(alone, "claa")
    plots = {file.name for file in (tmp_path / "run" / "plots").glob("study_*")}
    assert plots == {"study_claa_window_recall_at_10.png", "study_claa_window_recall_at_10.pdf"}
    recorded = OmegaConf.load(tmp_path / "run" / "config.yaml")
    assert recorded.study.points.claa_n4 == {"heuristic": "claa", "value": 4}
