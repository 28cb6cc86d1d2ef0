"""Joined names: equal settings have one name, others state what differs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tokenrank.evaluation.accuracy import Accuracy
from tokenrank.evaluation.evaluation import Evaluation
from tokenrank.evaluation.ranking import RankingAgreement
from tokenrank.planning.comparable import Source
from tokenrank.planning.contestants import engine_name
from tokenrank.planning.joined_settings import against_note, joined_config, study
from tokenrank.planning.telling_apart import told_apart
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.schema import is_bound, is_control

RANKING, ACCURACY = RankingAgreement(k=[10]), Accuracy(keep=[20])
CLAA = {"_target_": "tokenrank.heuristics.claa.CLAA", "n": 4, "window": 8}
RANDOM = {"_target_": "tokenrank.heuristics.controls.Random", "seed": 0}
LAYERS = {"captured": list(range(30)), "windowed": [], "of": 30}
ANY = {"_target_": "tokenrank.prefill.layerwise.Layerwise", "select_layer": 7, "window": 8, "min_layer": 0}


def source(
    heuristic: dict[str, Any],
    evaluation: Evaluation = RANKING,
    engine: dict[str, Any] | None = None,
    keep: int = 20,
    **config: Any,
) -> Source:
    own = {
        "heuristic": heuristic,
        "evaluation": {"keep": [keep]},
        "metric": {"recall": {}},
        "plots": {"k": 10},
    } | config
    if evaluation is ACCURACY:
        own["prefill"] = {"engine": engine or {"any": ANY}, "keep": [20]}
    return Source(RunFolder(Path("nowhere")), own, {"layers": LAYERS}, evaluation)


def names(*sources: Source) -> list[str]:
    return list(told_apart(sources).variants)


def test_equal_settings_have_one_name() -> None:
    one = source({"claa": CLAA, "random": RANDOM})
    assert names(one, one) == ["claa", "random"]
    assert told_apart([one, one]).names == [{"claa": "claa", "random": "random"}] * 2


def test_the_setting_that_differs_is_in_the_name_and_numbers_ascend() -> None:
    several = [source({"random": RANDOM, "claa": CLAA | {"n": n}}) for n in (8, 1, 4)]
    assert names(*several) == ["random", "claa_n1", "claa_n4", "claa_n8"]
    assert told_apart(several).names[0] == {"random": "random", "claa": "claa_n8"}


def test_several_settings_that_differ_are_all_in_the_name() -> None:
    several = [source({"claa": CLAA | {"n": n, "window": window}}) for n, window in ((1, 8), (1, 4), (2, 8))]
    assert names(*several) == ["claa_n1_window4", "claa_n1_window8", "claa_n2_window8"]


@pytest.mark.parametrize(
    ("value", "label"), [("sum", "headssum"), (None, "headsnull"), (True, "headstrue"), (0.5, "heads0.5")]
)
def test_short_values_stand_in_the_name(value: object, label: str) -> None:
    assert f"claa_{label}" in names(source({"claa": CLAA | {"heads": "kv"}}), source({"claa": CLAA | {"heads": value}}))


def test_long_values_are_a_hash() -> None:
    drafts = [{"_target_": "x.Y", "draft": f"meta-llama/a-model-with-a-long-name-{each}"} for each in "ab"]
    found = names(*(source({"speculative": each}) for each in drafts))
    assert len(set(found)) == 2
    assert all(name.startswith("speculative_draft") and len(name) == len("speculative_draft") + 6 for name in found)


def test_a_name_that_is_taken_gets_a_hash_more() -> None:
    taken = {"_target_": "x.Y"}
    found = names(source({"claa": CLAA, "claa_n1": taken}), source({"claa": CLAA | {"n": 1}, "claa_n1": taken}))
    assert len(set(found)) == len(found) == 3
    assert "claa_n4" in found
    assert "claa_n1" in found
    assert sum(name.startswith("claa_n1_") for name in found) == 1


def test_the_seed_of_the_random_control_tells_nothing_apart_but_that_of_others_does() -> None:
    assert names(source({"random": RANDOM}), source({"random": RANDOM | {"seed": 1}})) == ["random"]
    own = {"_target_": "mine.Drawn", "seed": 0}
    assert names(source({"drawn": own}), source({"drawn": own | {"seed": 1}})) == ["drawn_seed0", "drawn_seed1"]


def test_contestants_have_the_settings_of_their_engines_too() -> None:
    several = [source({"claa": CLAA}, ACCURACY, {"any": ANY | {"select_layer": layer}}) for layer in (7, 14)]
    assert names(*several) == [
        "claa_select_layer7", "claa_select_layer14",
        *(f"{end}@select_layer{layer}" for layer in (7, 14) for end in ("oracle", "random")),
    ]  # fmt: skip
    of_claa = [source({"claa": CLAA}, ACCURACY, {"any": ANY, "claa": ANY | {"min_layer": each}}) for each in (0, 2, 4)]
    assert names(*of_claa) == [
        "claa_min_layer0", "claa_min_layer2", "claa_min_layer4",
        "oracle", "random", *(f"{end}@claa_min_layer{each}" for each in (2, 4) for end in ("oracle", "random")),
    ]  # fmt: skip


def test_engines_have_joined_names_and_each_its_own_bound_and_control() -> None:
    several = [source({"claa": CLAA}, ACCURACY, {"any": ANY | {"select_layer": layer}}) for layer in (7, 14)]
    found = told_apart(several)
    assert found.engines == [{"layerwise": f"layerwise@select_layer{layer}"} for layer in (7, 14)]
    for layer, own in zip((7, 14), found.names, strict=True):
        assert own == {
            "claa": f"claa_select_layer{layer}", "oracle": f"oracle@select_layer{layer}", "random": f"random@select_layer{layer}",
        }  # fmt: skip
    assert all(is_bound(own["oracle"]) and is_control(own["random"]) for own in found.names)
    engines = yaml.safe_load(joined_config(several, found))["prefill"]["engine"]
    for name in found.variants:  # as a run's config says it
        line = engine_name({"prefill": {"engine": engines}}, name)
        assert line is not None
        assert engines[line]["select_layer"] == (7 if "7" in name else 14)


def test_engines_with_equal_settings_share_bound_and_control_whatever_their_lines() -> None:
    same = ANY | {"min_layer": 4}
    one = source({"claa": CLAA}, ACCURACY, {"any": ANY | {"min_layer": 0}, "claa": same})
    other = source({"tova": {"_target_": "x.T"}}, ACCURACY, {"any": same})
    found = told_apart([one, other])
    assert list(found.variants) == ["claa", "tova", "oracle@claa", "random@claa"]
    assert found.engines == [{"layerwise@claa": "layerwise@claa"}, {"layerwise": "layerwise@claa"}]
    assert found.names[1] == {"tova": "tova", "oracle": "oracle@claa", "random": "random@claa"}
    differ = told_apart([one, source({"tova": {"_target_": "x.T"}}, ACCURACY, {"any": ANY | {"min_layer": 0}})])
    assert list(differ.variants) == ["claa", "tova", "oracle@claa", "random@claa", "oracle", "random"]


def test_lines_of_one_run_that_describe_the_same_engine_are_one() -> None:
    """select_layer null is 14 of 30 layers, and so the engine of both is that of ``any``."""
    null = {"any": ANY | {"select_layer": None}, "claa": ANY | {"select_layer": 14}}
    one = source({"claa": CLAA, "tova": {"_target_": "x.T"}}, ACCURACY, null)
    other = source({"claa": CLAA}, ACCURACY, {"any": ANY | {"select_layer": 14}})
    found = told_apart([one, other])
    assert list(found.variants) == ["claa", "tova", "oracle", "random"]
    assert found.engines == [{"layerwise": "layerwise"}] * 2


def test_kinds_of_engines_at_one_line_are_told_apart() -> None:
    restart = {"_target_": "tokenrank.prefill.restart.Restart", "select_layer": 7, "window": 8}
    found = told_apart(
        [source({"claa": CLAA}, ACCURACY, {"any": ANY, "claa": each}) for each in (restart, ANY | {"min_layer": 1})]
    )
    first, second = found.engines
    (restarted,), (layerwise,) = first.values(), second.values()
    assert list(first) == ["restart@claa"]
    assert list(second) == ["layerwise@claa"]
    assert restarted.startswith("restart@claa__target_") or restarted.startswith("restart@claa_target")
    assert layerwise.split("@")[1] != restarted.split("@")[1]


def test_a_control_that_was_chosen_keeps_its_place() -> None:
    one = source({"random": RANDOM, "claa": CLAA, "oracle": {"_target_": "tokenrank.oracle.bound.Bound"}}, ACCURACY)
    assert names(one, one) == ["random", "claa", "oracle"]
    assert told_apart([one, one]).names == [{"claa": "claa", "oracle": "oracle", "random": "random"}] * 2


def test_a_setting_that_heuristic_and_engine_have_is_named_in_full() -> None:
    several = [
        source({"claa": CLAA | {"window": window}}, ACCURACY, {"any": ANY, "claa": ANY | {"window": window}})
        for window in (4, 8)
    ]
    assert names(*several)[:2] == ["claa_window4_engine_window4", "claa_window8_engine_window8"]


def test_one_number_that_varies_is_a_study() -> None:
    several = [source({"claa": CLAA | {"n": n}, "random": RANDOM}) for n in (1, 16)]
    found = study(told_apart(several).variants, several[0])
    assert found is not None
    assert (found["name"], found["parameter"], found["values"], found["scale"]) == ("claa_n", "n", [1, 16], "log")
    assert found["points"]["claa_n16"] == {"heuristic": "claa", "value": 16}
    both = [source({"claa": CLAA | {"window": w}, "tova": {"_target_": "x.T", "window": w}}) for w in (4, 8)]
    found = study(told_apart(both).variants, both[0])
    assert found is not None
    assert (found["name"], found["scale"], len(found["points"])) == ("window", "linear", 4)


@pytest.mark.parametrize(
    "others", [{"n": 1, "window": 4}, {"heads": "sum"}, {}], ids=["two settings", "a text", "none"]
)
def test_all_else_is_no_study(others: dict[str, Any]) -> None:
    several = [source({"claa": CLAA | {"heads": "kv"}}), source({"claa": CLAA | {"heads": "kv"} | others})]
    assert study(told_apart(several).variants, several[0]) is None


def test_the_config_is_null_where_runs_differ_and_has_every_contestant() -> None:
    several = [source({"claa": CLAA | {"n": n}}, seed=n, task={"lengths": [n], "seed": 0}, study=None) for n in (1, 2)]
    found = yaml.safe_load(joined_config(several, told_apart(several)))
    assert found["seed"] is None
    assert found["task"] == {"lengths": None, "seed": 0}
    assert found["heuristic"] == {f"claa_n{n}": CLAA | {"n": n} for n in (1, 2)}
    rates = [source({"claa": CLAA}, ACCURACY, keep=rate) for rate in (40, 20)]
    found = yaml.safe_load(joined_config(rates, told_apart(rates)))
    assert found["evaluation"]["keep"] == found["prefill"]["keep"] == [20, 40]
    assert set(found["prefill"]["engine"]) == {"any", "claa"}


@pytest.mark.parametrize(
    ("against", "joined"),
    [("claa", "claa_n1"), ("random", "random"), ("oracle@claa", "oracle@claa"), ("all", "all"), ("full", "full")],
)
def test_what_all_are_compared_with_has_its_joined_name(against: str, joined: str) -> None:
    compare = {"against": against, "metric": None, "k": None, "controls": False}
    own = {"keep": [20], "compare": compare}
    several = [source({"claa": CLAA | {"n": n}, "random": RANDOM}) for n in (1, 2)]
    several = [replace(each, config={**each.config, "evaluation": own, "compare": compare}) for each in several]
    contestants = told_apart(several)
    found = yaml.safe_load(joined_config(several, contestants))
    assert found["compare"] == found["evaluation"]["compare"] == compare | {"against": joined}
    note = ["note: compare.against is claa_n1, which is claa in nowhere"]
    assert against_note(several, contestants) == (note if against == "claa" else [])
