"""Who runs the prompt: the full prefill first, every chosen heuristic with its engine, each engine's bound and control where they are added."""

from dataclasses import dataclass, replace
from typing import Self

import pytest
from omegaconf import DictConfig, OmegaConf

from tests.doubles import CALLED
from tests.plans import config, plan
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.evaluation.plan import Plan
from tokenrank.heuristics.claa import CLAA
from tokenrank.heuristics.controls import Control, Random
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.heuristics.tova import TOVA
from tokenrank.planning.making import make_plan
from tokenrank.prefill.layerwise import Layerwise
from tokenrank.prefill.precomputed import Precomputed
from tokenrank.prefill.restart import Restart
from tokenrank.records.schema import is_bound

DOUBLE = {"_target_": "tests.doubles.Fails"}


def changed(setting: str, value: object, evaluation: str = "accuracy") -> DictConfig:
    given = config(evaluation=evaluation)
    OmegaConf.set_struct(given, False)
    OmegaConf.update(given, setting, value, merge=False, force_add=True)
    return given


def named(made: Plan) -> list[tuple[str, str]]:
    return [(each.name, each.engine.kind) for each in made.contestants]


def test_accuracy_has_the_chosen_between_the_full_prefill_and_each_engines_bound_and_control() -> None:
    made = plan(evaluation="accuracy")
    chosen = [("claa", "layerwise"), ("fastkv", "layerwise"), ("gemfilter", "restart")]
    added = [
        ("oracle@claa", "layerwise"), ("random@claa", "layerwise"), ("oracle", "layerwise"), ("random", "layerwise"),
        ("oracle@gemfilter", "restart"), ("random@gemfilter", "restart"),
    ]  # fmt: skip
    assert named(made) == [("full", "full"), *chosen, *added]
    assert [each.engine_name for each in made.contestants] == [
        "full", "layerwise@claa", "layerwise", "restart@gemfilter", "layerwise@claa", "layerwise@claa", "layerwise", "layerwise",
        "restart@gemfilter", "restart@gemfilter",
    ]  # fmt: skip
    full, claa, *_ = made.contestants
    assert full.heuristic is None
    assert claa.heuristic == CLAA()
    for each in made.contestants[4:]:
        assert isinstance(each.heuristic, Precomputed if is_bound(each.name) else Control)


def test_a_bound_and_a_control_run_the_engine_of_the_heuristic_whose_name_they_have() -> None:
    made = {
        each.name: each
        for each in plan("task.lengths=[400]", "heuristic=[claa,speculative]", evaluation="accuracy").contestants
    }
    assert list(made) == [
        "full",
        "claa",
        "speculative",
        "oracle@claa",
        "random@claa",
        "oracle@speculative",
        "random@speculative",
    ]
    for name in ("oracle@claa", "random@claa"):
        assert replace(made[name].engine, first_scored=0) == made["claa"].engine  # type: ignore[call-arg]
    for name in ("oracle@speculative", "random@speculative"):
        assert made[name].engine == made["speculative"].engine


def with_lines(lines: dict[str, dict[str, object]], chosen: list[str]) -> Plan:
    """The plan of a run with these lines and no others beside ``any``; every chosen heuristic is a TOVA."""
    given = config(evaluation="accuracy")
    OmegaConf.set_struct(given, False)
    given.prefill.engine = lines | {"any": given.prefill.engine["any"]}
    given.heuristic = {name: {"_target_": "tokenrank.heuristics.tova.TOVA"} for name in chosen}
    return make_plan(given)


def layerwise(**settings: object) -> dict[str, object]:
    return {"_target_": "tokenrank.prefill.layerwise.Layerwise", **settings}


def test_lines_that_describe_one_engine_share_its_name_bound_and_control() -> None:
    """Half of the four layers less one is layer 1, and a window of 8 is the default; the first line in the config gives the name, but ``any`` comes before all."""
    lines = {
        "a": layerwise(select_layer=2),
        "b": layerwise(select_layer=2, window=8),
        "ab": layerwise(select_layer=1),
        "d": layerwise(window=9),
    }
    made = with_lines(lines, ["d", "b", "a", "ab"]).contestants
    assert [(each.name, each.engine_name) for each in made[1:]] == [
        ("d", "layerwise@d"), ("b", "layerwise@a"), ("a", "layerwise@a"), ("ab", "layerwise"),
        ("oracle@d", "layerwise@d"), ("random@d", "layerwise@d"), ("oracle@a", "layerwise@a"), ("random@a", "layerwise@a"),
        ("oracle", "layerwise"), ("random", "layerwise"),
    ]  # fmt: skip


def test_engines_that_score_other_layers_for_their_heuristics_are_one() -> None:
    """CLAA reads four layers where TOVA reads one: that is the heuristic's, and the engine is the same."""
    given = changed("prefill.engine.claa.min_layer", 0)
    given.heuristic = {name: given.heuristic[name] for name in ("claa", "fastkv")}
    made = make_plan(given).contestants
    assert [each.name for each in made] == ["full", "claa", "fastkv", "oracle", "random"]
    assert {each.engine_name for each in made[1:]} == {"layerwise"}
    assert made[1].engine != made[2].engine


def test_a_line_that_no_contestant_uses_need_not_fit_the_model() -> None:
    made = with_lines({"a": layerwise(min_layer=99)}, ["tova"]).contestants
    assert [each.name for each in made] == ["full", "tova", "oracle", "random"]
    with pytest.raises(ValueError, match=r"^prefill\.engine\.a: min_layer is 99"):
        with_lines({"a": layerwise(min_layer=99)}, ["a"])


def test_an_engine_that_refuses_a_control_is_named() -> None:
    """Its heuristics rank, but nothing can bound them."""
    lines: dict[str, dict[str, object]] = {"a": {"_target_": "tests.planning.test_contestants.ForTova"}}
    with pytest.raises(ValueError, match=r"^prefill\.engine\.a of oracle@a: Precomputed is no TOVA$"):
        with_lines(lines, ["a"])


@dataclass(frozen=True)
class ForTova(Layerwise):
    """Takes one heuristic alone."""

    def resolved(self, heuristic: Heuristic, layers: ModelLayers) -> Self:
        if type(heuristic) is not TOVA:
            raise ValueError(f"{type(heuristic).__name__} is no TOVA")
        return super().resolved(heuristic, layers)


@pytest.mark.parametrize("name", ["oracle", "random"])
def test_a_bound_or_a_control_has_no_engine_of_its_own(name: str) -> None:
    with pytest.raises(
        ValueError, match=rf"^prefill\.engine\.{name} cannot be set: every engine in use has its own {name}$"
    ):
        with_lines({name: layerwise()}, ["tova"])


def test_timing_has_no_controls() -> None:
    assert [name for name, _ in named(plan(evaluation="ttft"))] == ["full", "claa", "fastkv", "gemfilter"]


def test_a_ranking_study_runs_no_engine() -> None:
    assert plan().contestants == ()


def test_controls_that_are_chosen_stand_once() -> None:
    made = plan("heuristic=[random,oracle,claa]", "heuristic.random.seed=5", evaluation="accuracy")
    assert [name for name, _ in named(made)] == ["full", "random", "claa", "oracle", "oracle@claa", "random@claa"]
    assert made.contestants[1].heuristic == Control(5)
    assert made.contestants[-1].heuristic == Control(0)


def test_noise_of_another_name_is_a_heuristic_like_any_other() -> None:
    given = changed("heuristic", {"noise": {"_target_": "tokenrank.heuristics.controls.Random", "seed": 2}})
    made = make_plan(given).contestants
    assert [each.name for each in made] == ["full", "noise", "oracle", "random"]
    assert made[1].heuristic == Random(2)


def test_recency_and_sinks_can_drive_every_engine() -> None:
    given = changed("heuristic", {})
    for name in ("recency", "sinks"):
        given.heuristic[name] = {"_target_": f"tokenrank.heuristics.controls.{name.capitalize()}"}
    for target in ("layerwise.Layerwise", "restart.Restart", "draft.Draft"):
        given.prefill.engine["any"] = {"_target_": f"tokenrank.prefill.{target}"}
        assert [each.name for each in make_plan(given).contestants] == ["full", "recency", "sinks", "oracle", "random"]


def test_the_control_is_drawn_by_the_seed_of_the_run() -> None:
    assert plan("seed=3", evaluation="accuracy").contestants[-1].heuristic == Control(3)


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
        (
            "heuristic",
            {"oracle@claa": DOUBLE},
            r"heuristic\.oracle@claa has the name of the bound of an engine: call it",
        ),
        ("heuristic", {"random": DOUBLE}, r"heuristic\.random has the name of the random control"),
        ("heuristic", {"random@x": DOUBLE}, r"heuristic\.random@x has the name of the control of an engine"),
        ("prefill.protect", "all", r"evaluation: prefill\.protect is 'all', must be window or frame$"),
        ("prefill.budget", "outside", r"evaluation: prefill\.budget is 'outside', must be within or beside$"),
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
