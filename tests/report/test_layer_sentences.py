"""Worst layers by hand, and what is left out of them."""

import pytest

from tests.report.ranking_examples import Row, at_layer, of_prompts, ranked
from tokenrank.report.layer_sentences import exploratory_worst, level_sentence, worst_layer_sentences, worst_layers

VALUES = {"claa": ((0.5, 0.4, 0.6), (0.7, 0.2, 0.6)), "gemfilter": ((0.1, 0.6, 0.8), (0.3, 0.4, 0.8))}


def rows(windowed: int | None = None) -> list[Row]:
    found = [
        at_layer(sample, name, layer, "recall", 10, value) | {"windowed": layer == windowed}
        for name, of_samples in ({"random": ((0.9, 0.0, 0.9),) * 2} | VALUES).items()
        for sample, values in zip("ab", of_samples, strict=True)
        for layer, value in enumerate(values)
    ]
    return [*found, at_layer("a", None, None, "recall", 10, 0.1), at_layer("a", "claa", 0, "recall", 5, 0.0)]


def test_the_worst_layer_is_that_of_the_lowest_mean_over_prompts() -> None:
    found = worst_layers(ranked(rows()), "recall", 10)
    assert found.loc["claa", "layer"] == 1  # means 0.6, 0.3, 0.6
    assert found.loc["gemfilter", "layer"] == 0  # means 0.2, 0.5, 0.8
    assert found.loc["claa", "drop"] == pytest.approx(0.5 - 0.3)
    assert found.loc["gemfilter", "drop"] == pytest.approx(0.5 - 0.2)


def test_windowed_layers_count_only_where_there_are_no_others() -> None:
    found = worst_layers(ranked(rows(windowed=1)), "recall", 10)
    assert found.loc["claa", "layer"] == 0
    assert found.loc["claa", "mean"] == pytest.approx(0.6)
    alone = [row for row in rows(windowed=1) if row["layer"] in (1, None)]
    assert worst_layers(ranked(alone), "recall", 10).loc["claa", "layer"] == 1


def test_the_deepest_fall_comes_first_and_controls_are_left_out() -> None:
    said = worst_layer_sentences(ranked(rows()), "recall", 10)
    assert (
        said[0]
        == "The deepest fall in recall@10 is that of gemfilter at layer 0, 0.200 (0.300 below its mean over layers)."
    )
    assert said[1] == "The worst layers of the others: claa at layer 1, 0.300 (0.200 below its mean over layers)."
    assert "exploratory" in said[2]
    assert not any("random" in each for each in said)


def test_rankings_that_are_equal_at_all_layers_have_no_worst_one() -> None:
    flat = [at_layer("a", "recency", layer, "recall", 10, 0.3) for layer in range(3)]
    assert worst_layer_sentences(ranked(flat), "recall", 10) == []


def test_a_ranking_without_a_value_has_no_worst_layer() -> None:
    nothing = [at_layer(sample, "tova", layer, "recall", 10, float("nan")) for sample in "ab" for layer in range(3)]
    found = worst_layers(ranked([*rows(), *nothing]), "recall", 10)
    assert {"claa", "gemfilter"} <= set(found.index)
    assert "tova" not in found.index
    assert found.loc["claa", "layer"] == 1


def test_levels_are_said_best_first_with_chance() -> None:
    summary = [
        of_prompts("claa", "recall", "mean", 10, 0.4, low=0.3, high=0.5),
        of_prompts("tova", "recall", "mean", 10, 0.6, low=None, high=None),
        of_prompts("oracle", "recall", "mean", 10, 1.0),
    ]
    assert level_sentence(ranked(rows(), summary), "recall", 10) == (
        "recall@10, mean over layers and prompts (95 % interval): tova 0.600, claa 0.400 [0.300, 0.500]; "
        "a random ranking reaches 0.100 in expectation."
    )


def test_worst_layers_of_prompts_are_compared_as_exploratory() -> None:
    def compared(p: float, value: float, **more: object) -> Row:
        ends = {"low": value - 0.05, "high": value + 0.05, "exploratory": True} | more
        return of_prompts("claa", "recall", "worst", 10, value, against="tova", p=p, **ends)

    found = ranked(summary=[compared(0.01, -0.2), compared(0.4, 0.01)]).summary
    assert exploratory_worst(found, "recall", 10) == (
        "Exploratory, in recall@10 of each prompt's worst layer (2 pairs): tova above claa by 0.200 (p = 0.01)."
    )
    assert "no pair differs" in exploratory_worst(ranked(summary=[compared(0.4, 0.01)]).summary, "recall", 10)
    assert exploratory_worst(ranked(summary=[compared(1.0, 0.2, low=None, high=None)]).summary, "recall", 10) == ""
