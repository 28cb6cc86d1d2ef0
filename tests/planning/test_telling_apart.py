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
from tokenrank.planning.joined_settings import against_note, joined_config, study
from tokenrank.planning.telling_apart import told_apart
from tokenrank.records.run_folder import RunFolder

RANKING, ACCURACY = RankingAgreement(k=[10]), Accuracy(keep=[20])
CLAA = {"_target_": "tokenrank.heuristics.claa.CLAA", "n": 4, "window": 8}
RANDOM = {"_target_": "tokenrank.heuristics.controls.Random", "seed": 0}
ANY = {"_target_": "tokenrank.prefill.layerwise.Layerwise", "select_layer": 7, "window": 8}


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
    return Source(RunFolder(Path("nowhere")), own, {}, evaluation)


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
    expected = [f"{name}_select_layer{layer}" for name in ("claa", "oracle", "random") for layer in (7, 14)]
    assert names(*several) == expected
    assert "gap closed is left out" in told_apart(several).notes[0]
    of_claa = [source({"claa": CLAA}, ACCURACY, {"any": ANY, "claa": ANY | {"min_layer": each}}) for each in (0, 4)]
    assert names(*of_claa) == ["claa_min_layer0", "claa_min_layer4", "oracle", "random"]
    assert told_apart(of_claa).notes == []


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
    assert set(found["prefill"]["engine"]) == {"claa", "oracle", "random"}


@pytest.mark.parametrize(
    ("against", "joined"), [("claa", "claa_n1"), ("random", "random"), ("all", "all"), ("full", "full")]
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
