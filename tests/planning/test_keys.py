"""Keys of units: all that decides a result is in them, and nothing else."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from tests.plans import config, plan
from tokenrank.evaluation.evaluation import Evaluation
from tokenrank.heuristics.claa import CLAA
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.heuristics.speculative import Speculative
from tokenrank.models.pretrained import Pretrained
from tokenrank.models.tiny import Tiny
from tokenrank.oracle.oracle import Answer
from tokenrank.planning.building import build
from tokenrank.planning.keys import part_keys, unit_keys
from tokenrank.planning.making import resolved
from tokenrank.planning.sources import source_digest
from tokenrank.records.digests import digest, ids_digest
from tokenrank.tasks.task import Prompt

PROMPT = Prompt("p", "niah", tuple(range(60)), 4, answers=("12345",), evidence=(range(5, 9),))
PRIVATE = "a text of somebody's own"


def of(
    given: DictConfig,
    prompt: Prompt = PROMPT,
    answer: str = "generated",
    heuristics: Mapping[str, Heuristic] | None = None,
) -> tuple[str, dict[str, Any]]:
    """Key and fields of one prompt's unit."""
    given = resolved(given)
    evaluation: Evaluation = build(given.evaluation, "evaluation", Evaluation)
    source: Pretrained = build(given.model, "model", Pretrained)
    ranking = heuristics or {}
    OmegaConf.set_struct(given, False)
    OmegaConf.update(
        given,
        "heuristic",
        {name: {"_target_": f"{type(each).__module__}.X"} for name, each in ranking.items()} or given.heuristic,
    )
    return unit_keys(given, part_keys(given, source, ranking), [prompt], answer, [None], evaluation)[0]


def changed(setting: str, value: object, evaluation: str = "ranking") -> DictConfig:
    given = config(evaluation=evaluation)
    OmegaConf.set_struct(given, False)
    OmegaConf.update(given, setting, value, force_add=True)
    return given


def test_the_same_inputs_give_the_same_key() -> None:
    assert of(config()) == of(config())
    assert of(config())[0] == digest(of(config())[1])


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("model.seed", 1),
        ("model.layers", 2),
        ("model.dtype", "bfloat16"),
        ("heuristic.claa.n", 2),
        ("heuristic.tova", {"_target_": "tokenrank.heuristics.tova.TOVA"}),
        ("oracle.attention.kernel", 5),
        ("metric.recall.chance._target_", "tokenrank.metrics.metric.no_association"),
        ("k", [10]),
        ("universe.window", 4),
        ("universe.of", "context"),
        ("save_rankings", True),
    ],
)
def test_what_decides_a_result_changes_the_key(setting: str, value: object) -> None:
    assert of(changed(setting, value))[0] != of(config())[0]


IDLE: list[tuple[str, object, str]] = [  # setting, value, metric with which it decides something
    ("chunk", 16, "lds"),
    ("masks.count", 8, "lds"),
    ("masks.seed", 3, "lds"),
    ("loss_layers", [1], "drop"),
    ("loss_layers", [1], "kept"),
]


@pytest.mark.parametrize(("setting", "value", "metric"), IDLE)
def test_settings_of_hidden_tokens_are_in_the_keys_of_runs_that_hide_some(
    setting: str, value: object, metric: str
) -> None:
    assert of(changed(setting, value)) == of(config())
    hiding = config(f"metric=[recall,{metric}]")
    given = config(f"metric=[recall,{metric}]")
    OmegaConf.update(given, setting, value)
    assert of(given)[0] != of(hiding)[0]


def test_a_key_has_no_settings_that_stand_for_what_is_always_so() -> None:
    assert set(of(config())[1]["evaluation"]) == {"_target_", "k", "window", "save_rankings", "save_levels"}
    others = {
        "agreement=true": {"agreement"},
        "oracle=[attention,ablation]": {"truths"},
        "universe=context": {"universe"},
        "metric=lds": {"chunk", "masks"},
        "metric=kept": {"loss_layers"},
    }
    for override, more in others.items():
        found = set(of(config(override))[1]["evaluation"])
        assert found == set(of(config())[1]["evaluation"]) | more


@pytest.mark.parametrize(
    "prompt",
    [
        replace(PROMPT, input_ids=tuple(range(61))),
        replace(PROMPT, max_new_tokens=5),
        replace(PROMPT, stop_ids=(10,)),
        replace(PROMPT, not_first_ids=(10,)),
        replace(PROMPT, answers=("54321",)),
        replace(PROMPT, classes=("yes", "no")),
        replace(PROMPT, evidence=(range(5, 10),)),
        replace(PROMPT, evidence=()),
        replace(PROMPT, context=range(3, 40)),
        replace(PROMPT, question=range(40, 50)),
        replace(PROMPT, task="longbench/qasper"),
    ],
)
def test_what_a_prompt_asks_and_how_it_is_graded_changes_the_key(prompt: Prompt) -> None:
    assert of(config(), prompt)[0] != of(config())[0]


def test_the_weights_of_a_draft_model_are_part_of_the_key(tmp_path: Path) -> None:
    Tiny().model().save_pretrained(tmp_path)
    ranked: dict[str, Heuristic] = {"speculative": Speculative(draft=str(tmp_path)), "claa": CLAA()}
    key, fields = of(config(), heuristics=ranked)
    assert set(fields["of_heuristics"]) == {"speculative"}
    assert key == of(config(), heuristics=ranked)[0]
    Tiny(seed=1).model().save_pretrained(tmp_path)
    assert of(config(), heuristics=ranked)[0] != key
    assert of(config(), heuristics={"speculative": Speculative()})[1]["of_heuristics"] == {}


def test_the_kind_of_device_is_part_of_the_key_and_its_number_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokenrank.planning.keys.pick_device", lambda device: device)
    kinds = {device: of(changed("model.device", device))[1]["device"] for device in ("cpu", "cuda", "cuda:1")}
    assert kinds == {"cpu": "cpu", "cuda": "cuda", "cuda:1": "cuda"}


@pytest.mark.parametrize("package", ["torch", "transformers", "numpy", "scipy"])
def test_the_packages_that_compute_are_part_of_the_key(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    before = of(config())[0]
    monkeypatch.setattr("tokenrank.planning.keys.version", lambda name: "9.9" if name == package else version(name))
    assert of(config())[0] != before


def test_where_the_answer_comes_from_changes_the_key() -> None:
    assert of(config(), answer="reference")[0] != of(config())[0]


@pytest.mark.parametrize(
    ("setting", "value"),
    [("seed", 1), ("bootstrap.resamples", 7), ("plots.k", 5), ("model.name", "other"), ("texts", False)],
)
def test_what_decides_only_tables_and_pictures_does_not_change_the_key(setting: str, value: object) -> None:
    assert of(changed(setting, value))[0] == of(config())[0]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("prefill.keep", [30]),
        ("prefill.engine.any.min_layer", 2),
        ("prefill.select_layer", 2),
        ("prefill.protect", "frame"),
        ("prefill.budget", "beside"),
        ("prefill.together", False),
    ],
)
def test_prefill_changes_the_key_of_evaluations_that_run_engines(setting: str, value: object) -> None:
    assert of(changed(setting, value))[0] == of(config())[0]
    for evaluation in ("accuracy", "ttft"):
        assert of(changed(setting, value, evaluation))[0] != of(config(evaluation=evaluation))[0]


def test_the_seed_of_the_random_control_changes_the_key_where_it_is_added() -> None:
    assert of(changed("seed", 1, "accuracy"))[0] != of(config(evaluation="accuracy"))[0]
    assert of(changed("seed", 1, "ttft"))[0] == of(config(evaluation="ttft"))[0]


def test_the_sources_of_added_contestants_change_the_key_where_they_are_added(monkeypatch: pytest.MonkeyPatch) -> None:
    def of_another_version(modules: Iterable[str]) -> str:
        return source_digest(modules) + ("2" if "tokenrank.planning.contestants" in modules else "")

    before = {name: of(config(evaluation=name))[0] for name in ("accuracy", "ttft", "ranking")}
    monkeypatch.setattr("tokenrank.planning.keys.source_digest", of_another_version)
    after = {name: of(config(evaluation=name))[0] for name in before}
    assert [name for name in before if before[name] != after[name]] == ["accuracy"]


def test_the_bootstrap_does_not_change_the_key_of_accuracy() -> None:
    assert of(changed("bootstrap.resamples", 7, "accuracy"))[0] == of(config(evaluation="accuracy"))[0]


def test_the_engine_of_a_studys_point_changes_the_key() -> None:
    def point(heuristic: str) -> DictConfig:
        return changed("study", {"points": {"claa_n2": {"heuristic": heuristic, "value": 2}}}, "accuracy")

    assert of(point("claa"))[0] != of(point("gemfilter"))[0]


def test_the_sources_that_compute_change_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[str]] = []

    def noted(modules: set[str]) -> str:
        seen.append(modules)
        return "digest"

    monkeypatch.setattr("tokenrank.planning.keys.source_digest", noted)
    one = of(config())
    own = {
        "tokenrank.evaluation.ranking", "tokenrank.heuristics.claa", "tokenrank.metrics.recall", "tokenrank.metrics.metric",
        "tokenrank.models.tiny", "tokenrank.oracle.answer_attention", "tokenrank.tasks.niah",
    }  # fmt: skip
    assert set().union(*seen[-len(one[1]["source"]) :]) == own
    groups = ("oracle", "metric", "evaluation", "model", "task")
    assert one[1]["source"] == dict.fromkeys(groups, "digest") | {"heuristic": {"claa": "digest"}}
    monkeypatch.setattr("tokenrank.planning.keys.source_digest", lambda modules: "another")
    assert of(config())[0] != one[0]


def test_the_fields_are_readable_and_hold_no_text_of_a_prompt() -> None:
    fields = of(config(), replace(PROMPT, answers=(PRIVATE,)))[1]
    assert fields["input_ids"] == ids_digest(PROMPT.input_ids)
    assert fields["model"]["dtype"] == "float32"
    assert fields["heuristic"]["claa"]["n"] == 4
    assert set(fields["versions"]) == {"torch", "transformers", "numpy", "scipy"}
    assert PRIVATE not in str(fields)


def test_ids_are_told_apart_by_their_borders() -> None:
    assert ids_digest([1, 12]) != ids_digest([11, 2])


def test_what_is_no_number_in_json_has_no_digest() -> None:
    with pytest.raises(ValueError, match="JSON"):
        digest({"a": float("nan")})


def test_the_order_of_truths_decides_the_keys() -> None:
    one, other = (
        plan(f"oracle=[{names}]", "task.depths=[0]") for names in ("attention,gradient", "gradient,attention")
    )
    assert one.units[0].key != other.units[0].key
    answer = Answer((1,), "generated")
    assert one.parts.truth("gradient", one.prompts[0], answer) == other.parts.truth(
        "gradient", other.prompts[0], answer
    )
