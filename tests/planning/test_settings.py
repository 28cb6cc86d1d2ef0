"""The top of a config: every key known, of its type and in range; each error says the setting as it is typed."""

import pytest
from omegaconf import OmegaConf

from tests.plans import CONFIGS, composed, config
from tokenrank.planning.settings import of_the_chosen, run_settings


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("nonsense", 1, r"nonsense is not a setting; there are agreement, answer, answers, bootstrap, "),
        ("save_rankings", "maybe", r"save_rankings is 'maybe', must be of type bool$"),
        ("texts", 1, r"texts is 1, must be of type bool$"),
        ("k", [], r"k is empty, must be a list of percentages"),
        ("k", [10, 10], r"k holds a value twice: \[10, 10\]$"),
        ("k", [0, 10], r"k holds 0, must be above 0 and at most 100 percent$"),
        ("k", [10, 101], r"k holds 101, must be above 0"),
        ("k", ["a"], r"k is \['a'\], must be a list of numbers, as in \[1,2\.5\]$"),
        ("k", "a", r"k is 'a', must be a list of numbers"),
        ("k", 10, r"k is 10, must be a list of numbers"),
        ("seed", -1, r"seed is -1, must be a whole number, at least 0$"),
        ("seed", 1.5, r"seed is 1\.5, must be of type int$"),
        ("plots.truth", "ablation", r"plots\.truth is 'ablation', must be null or of oracle=: attention$"),
        ("plots.k", 20, r"plots\.k is 20, must be one of k=\[5, 10\]$"),
        ("plots.l", 20, r"plots\.l is not a setting; there are k, metrics, truth$"),
        ("plots.metrics", "mass", r"plots\.metrics holds mass, must be all or of the chosen metrics: recall$"),
        (
            "plots.metrics",
            ["recall", "all"],
            r"plots\.metrics holds all, must be all or of the chosen metrics: recall$",
        ),
        ("plots.metrics", 5, r"plots\.metrics is 5, must be of type str or a list of names, as in \[a,b\] or null$"),
        ("answer", "other", r"answer is 'other', must be generated or reference$"),
        ("answers", 5, r"answers is 5, must be of type str or null$"),
        ("study", 5, r"study is 5, must be a mapping or null"),
        ("press", 5, r"press is 5, must be of type str or a list of names, as in \[a,b\] or null$"),
        ("universe", 8, r"universe is 8, must be a mapping"),
        ("universe.window", 1.5, r"universe\.window is 1\.5, must be of type int$"),
        ("bootstrap.resamples", None, r"bootstrap\.resamples is None, must be of type int$"),
        (
            "prefill.nonsense",
            1,
            r"prefill\.nonsense is not a setting; there are budget, engine, keep, protect, select_layer, together, window$",
        ),
        ("prefill.keep", 10, r"prefill\.keep is 10, must be a list of numbers"),
        ("prefill.window", "wide", r"prefill\.window is 'wide', must be of type int$"),
        ("task", None, r"task is None, must be chosen: task=NAME, a file of configs/task$"),
        ("logger", "none", r"logger is 'none', must be chosen"),
    ],
)
def test_what_cannot_be_is_said_as_it_is_typed(setting: str, value: object, sentence: str) -> None:
    given = config()
    OmegaConf.set_struct(given, False)
    OmegaConf.update(given, setting, value, merge=False, force_add=True)
    with pytest.raises(ValueError, match=f"^{sentence}"):
        run_settings(given)


@pytest.mark.parametrize("setting", ["k", "seed", "texts", "study"])
def test_a_setting_that_is_left_out_is_named(setting: str) -> None:
    given = config()
    OmegaConf.set_struct(given, False)
    del given[setting]
    with pytest.raises(ValueError, match=f"^{setting} is missing$"):
        run_settings(given)


@pytest.mark.parametrize("group", ["model", "heuristic", "prefill", "evaluation"])
def test_a_group_that_is_left_out_is_named(group: str) -> None:
    given = config()
    OmegaConf.set_struct(given, False)
    del given[group]
    with pytest.raises(ValueError, match=f"^{group} is None, must be chosen: {group}=NAME"):
        run_settings(given)


def test_what_is_right_comes_back_with_its_types() -> None:
    found = run_settings(config())
    assert (found.seed, found.k, found.answer, found.save_rankings, found.texts) == (
        0,
        [5, 10],
        "generated",
        False,
        True,
    )
    assert (found.universe, found.bootstrap, found.plots, found.study) == (
        {"of": "prompt", "window": 8},
        {"resamples": 200},
        {"k": 10, "truth": None, "metrics": None},
        None,
    )


@pytest.mark.parametrize("metrics", ["null", "all", "recall", "[recall]", "[]"])
def test_metrics_that_were_chosen_may_be_drawn(metrics: str) -> None:
    assert run_settings(config(f"plots.metrics={metrics}")).plots["metrics"] in (None, "all", "recall", ["recall"], [])


def test_an_experiment_applies_to_the_heuristics_that_are_chosen_and_leaves_the_config_as_it_was() -> None:
    given = composed("experiment=paper_rankings", "heuristic=claa")
    before = OmegaConf.to_yaml(given)
    assert set(given.heuristic) == {"fastkv", "claa", "gemfilter", "speculative"}
    assert set(of_the_chosen(given, CONFIGS).heuristic) == {"claa"}
    assert OmegaConf.to_yaml(given) == before


def test_settings_for_a_heuristic_that_is_none_of_ours_stay_and_are_refused_later() -> None:
    given = composed("+heuristic.clas.n=2")
    assert set(of_the_chosen(given, CONFIGS).heuristic) == {"claa", "clas"}
