"""Who runs the prompt: the full prefill first, every chosen heuristic with its engine, the controls where they are added."""

import pytest
from omegaconf import DictConfig, OmegaConf

from tests.doubles import CALLED
from tests.plans import config, plan
from tokenrank.evaluation.plan import Plan
from tokenrank.heuristics.claa import CLAA
from tokenrank.heuristics.controls import Random
from tokenrank.planning.making import make_plan
from tokenrank.prefill.layerwise import Layerwise
from tokenrank.prefill.precomputed import Precomputed
from tokenrank.prefill.restart import Restart

DOUBLE = {"_target_": "tests.doubles.Fails"}


def changed(setting: str, value: object, evaluation: str = "accuracy") -> DictConfig:
    given = config(evaluation=evaluation)
    OmegaConf.set_struct(given, False)
    OmegaConf.update(given, setting, value, merge=False, force_add=True)
    return given


def named(made: Plan) -> list[tuple[str, str]]:
    return [(each.name, each.engine.kind) for each in made.contestants]


def test_accuracy_has_the_chosen_between_the_full_prefill_and_the_controls() -> None:
    made = plan(evaluation="accuracy")
    chosen = [("claa", "layerwise"), ("fastkv", "layerwise"), ("gemfilter", "restart")]
    assert named(made) == [("full", "full"), *chosen, ("oracle", "layerwise"), ("random", "layerwise")]
    full, claa, *_, oracle, random = made.contestants
    assert full.heuristic is None
    assert claa.heuristic == CLAA()
    assert isinstance(oracle.heuristic, Precomputed)
    assert random.heuristic == Random(0)


def test_timing_has_no_controls() -> None:
    assert [name for name, _ in named(plan(evaluation="ttft"))] == ["full", "claa", "fastkv", "gemfilter"]


def test_a_ranking_study_runs_no_engine() -> None:
    assert plan().contestants == ()


def test_controls_that_are_chosen_stand_once() -> None:
    made = plan("heuristic=[random,oracle,claa]", "heuristic.random.seed=5", evaluation="accuracy")
    assert [name for name, _ in named(made)] == ["full", "random", "claa", "oracle"]
    assert made.contestants[1].heuristic == Random(5)


def test_the_control_is_drawn_by_the_seed_of_the_run() -> None:
    assert plan("seed=3", evaluation="accuracy").contestants[-1].heuristic == Random(3)


def test_engines_are_resolved_for_the_model() -> None:
    made = {each.name: each.engine for each in plan(evaluation="accuracy").contestants}
    assert made["claa"] == Layerwise(window=8, select_layer=1, min_layer=4, first_scored=0)
    assert made["fastkv"] == Layerwise(window=8, select_layer=1, min_layer=0, first_scored=1)
    assert made["gemfilter"] == Restart(window=8, select_layer=1, first_scored=1)


def test_a_point_of_a_study_has_the_engine_of_its_heuristic() -> None:
    made = plan("experiment=claa_window", "study.values=[1,2]", "heuristic=[claa,gemfilter]", evaluation="accuracy")
    engines = {each.name: each.engine for each in made.contestants}
    assert [engines[name].kind for name in ("claa_n1", "claa_n2", "gemfilter")] == ["layerwise", "layerwise", "restart"]
    for name in ("claa_n1", "claa_n2"):
        engine = engines[name]
        assert isinstance(engine, Layerwise)
        assert engine.min_layer == 4


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("heuristic", {"full": DOUBLE}, r"heuristic\.full has the name of the full prefill: call it something else$"),
        ("heuristic", {"oracle": DOUBLE}, r"heuristic\.oracle has the name of the oracle's own ranking"),
        ("prefill.select_layer", 9, r"prefill\.engine\.claa: select_layer is 9"),
        ("prefill.engine.claa.min_layer", 5, r"prefill\.engine\.claa: min_layer is 5, must be at most 4"),
        ("prefill.engine.any.min_layer", -1, r"prefill\.engine\.any: min_layer is -1, must be at least 0$"),
        ("prefill.engine.any.nonsense", 1, r"prefill\.engine\.any\.nonsense is not a setting"),
        ("prefill.engine.any", 5, r"prefill\.engine\.any is 5, must be a mapping"),
        (
            "prefill.keep",
            [1],
            r"prefill\.keep holds 1 percent: of the 300 tokens of prompt niah_300_0_0 these are 3, no more",
        ),
        ("prefill.keep", [0], r"evaluation: prefill\.keep holds 0, must be above 0"),
        ("prefill.keep", [20, 20], r"evaluation: prefill\.keep holds a value twice"),
        ("save_rankings", True, r"evaluation: save_rankings is true, must be false"),
        ("answer", "reference", r"answer is reference, must be generated: the answers are graded"),
        (
            "task",
            {"_target_": "tests.doubles.GivenPrompts", "ids": ["a"]},
            r"evaluation=accuracy needs a task that grades",
        ),
    ],
)
def test_what_no_engine_can_run_is_refused(setting: str, value: object, sentence: str) -> None:
    given = changed(setting, value)
    with pytest.raises(ValueError, match=f"^{sentence}"):
        make_plan(given)


def test_an_engine_of_another_class_is_refused_before_it_is_called() -> None:
    CALLED.clear()
    with pytest.raises(ValueError, match=r"^prefill\.engine\.any\._target_ is .*, must be a subclass of .*Engine$"):
        make_plan(changed("prefill.engine.any", {"_target_": "tests.doubles.Stranger"}))
    assert CALLED == []


def test_a_heuristic_without_an_engine_is_named() -> None:
    given = config(evaluation="accuracy")
    OmegaConf.set_struct(given, False)
    del given.prefill.engine["any"]
    with pytest.raises(ValueError, match=r"^prefill.engine has no line for fastkv and none called any; it has claa, "):
        make_plan(given)


def test_an_engine_that_a_heuristic_cannot_drive_is_named() -> None:
    given = changed("prefill.engine.speculative", {"_target_": "tokenrank.prefill.layerwise.Layerwise"})
    OmegaConf.update(given, "prefill.engine.tova", {"_target_": "tokenrank.prefill.draft.Draft"}, force_add=True)
    given.heuristic = {"tova": {"_target_": "tokenrank.heuristics.tova.TOVA"}}
    with pytest.raises(ValueError, match=r"^prefill\.engine\.tova: TOVA"):
        make_plan(given)
    given.heuristic = {"speculative": {"_target_": "tokenrank.heuristics.speculative.Speculative"}}
    with pytest.raises(ValueError, match=r"^prefill\.engine\.speculative: Speculative has no ranking of a layer's own"):
        make_plan(given)


def test_timing_the_oracle_alone_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^no chosen heuristic can rank for an engine"):
        plan("heuristic=oracle", evaluation="ttft")
