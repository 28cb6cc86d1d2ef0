"""Sentences on levels and worst layers by hand, and what is left out of them."""

from tests.report.ranking_examples import Row, at_layer, of_prompts, ranked
from tokenrank.report.sentences.layer_sentences import (
    exploratory_worst,
    level_sentences,
    worst_layer_sentences,
)

VALUES = {"claa": ((0.5, 0.4, 0.6), (0.7, 0.2, 0.6)), "gemfilter": ((0.1, 0.6, 0.8), (0.3, 0.4, 0.8))}


def rows(windowed: int | None = None) -> list[Row]:
    found = [
        at_layer(sample, name, layer, "recall", 10, value) | {"windowed": layer == windowed}
        for name, of_samples in ({"random": ((0.9, 0.0, 0.9),) * 2} | VALUES).items()
        for sample, values in zip("ab", of_samples, strict=True)
        for layer, value in enumerate(values)
    ]
    return [*found, at_layer("a", None, None, "recall", 10, 0.1), at_layer("a", "claa", 0, "recall", 5, 0.0)]


def test_the_deepest_fall_comes_first_and_controls_are_left_out() -> None:
    said, _ = worst_layer_sentences(ranked(rows()), "recall", 10)
    assert (
        said[0]
        == "The deepest fall below its own mean in recall@10 is that of gemfilter at layer 0, 0.200 (0.300 below its mean over layers)."
    )
    assert (
        said[1]
        == "The worst layers of the others in recall@10: claa at layer 1, 0.300 (0.200 below its mean over layers)."
    )
    assert len(said) == 3
    assert not any("random" in each for each in said)


def test_rankings_that_are_equal_at_all_layers_have_no_worst_one() -> None:
    flat = [at_layer("a", "recency", layer, "recall", 10, 0.3) for layer in range(3)]
    assert worst_layer_sentences(ranked(flat), "recall", 10) == ([], None)


def test_a_ranking_without_a_value_has_no_worst_layer_and_hides_no_other() -> None:
    nothing = [at_layer(sample, "tova", layer, "recall", 10, float("nan")) for sample in "ab" for layer in range(3)]
    said, _ = worst_layer_sentences(ranked([*rows(), *nothing]), "recall", 10)
    assert said == worst_layer_sentences(ranked(rows()), "recall", 10)[0]


def test_what_windowed_layers_are_left_out_of_is_said() -> None:
    said, _ = worst_layer_sentences(ranked(rows(windowed=1)), "recall", 10)
    assert said[0].startswith("The deepest fall below its own mean in recall@10 is that of gemfilter at layer 0")
    assert "claa" not in said[0]  # 0.6 at both other layers
    assert said[-2].startswith("Means over layers and worst layers leave out the layers with a sliding window")
    assert not any("sliding window" in each for each in worst_layer_sentences(ranked(rows()), "recall", 10)[0])


def test_where_no_prompt_was_ranked_by_all_there_are_no_sentences() -> None:
    apart = [at_layer(sample, name, 0, "recall", 10, 0.5) for sample, name in (("a", "claa"), ("b", "tova"))]
    assert worst_layer_sentences(ranked(apart), "recall", 10) == ([], None)


def test_levels_are_said_best_first_with_chance() -> None:
    summary = [
        of_prompts("claa", "recall", "mean", 10, 0.4, low=0.3, high=0.5),
        of_prompts("tova", "recall", "mean", 10, 0.6, low=None, high=None),
        of_prompts("oracle", "recall", "mean", 10, 1.0),
    ]
    assert level_sentences(ranked(rows(), summary), "recall", 10) == [
        "recall@10, mean over layers and prompts (95 % interval of each one alone): tova 0.600, claa 0.400 [0.300, 0.500]; "
        "a random ranking reaches 0.100 in expectation."
    ]


def test_means_over_fewer_prompts_than_the_run_has_say_so() -> None:
    summary = [of_prompts("claa", "recall", "mean", 10, 0.4, prompts=2)]
    for total, over in ((3, "the 2 of 3 prompts that have it"), (2, "prompts")):
        samples = [{"id": str(number), "status": "ok"} for number in range(total)]
        [level] = level_sentences(ranked(rows(), summary, samples), "recall", 10)
        assert level.startswith(f"recall@10, mean over layers and {over} (95 % interval")


def test_methods_below_a_control_are_named_beside_the_lowest_such_control() -> None:
    values = {"claa": 0.6, "sinks": 0.5, "tova": 0.4, "asl": 0.3, "random": 0.1, "keynorm": 0.05, "oracle": 1.0}
    summary = [of_prompts(name, "recall", "mean", 10, value) for name, value in values.items()]
    level, below = level_sentences(ranked(rows(), summary), "recall", 10)
    assert "claa 0.600, tova 0.400, asl 0.300, keynorm 0.050; controls: sinks 0.500, random 0.100; a random" in level
    assert below == (
        "Methods below a control in the mean of recall@10: tova and asl below sinks (0.500); keynorm below random (0.100). "
        "These differences were not tested."
    )


def test_of_many_methods_the_first_are_in_words() -> None:
    names = [f"m{number}" for number in range(7)]
    summary = [of_prompts(name, "recall", "mean", 10, 0.9 - place / 10) for place, name in enumerate(names)]
    [level] = level_sentences(ranked(rows(), summary), "recall", 10)
    assert "m0 0.900, m1 0.800, m2 0.700, m3 0.600, 3 more in the table; a random" in level
    layers = [at_layer("a", name, layer, "recall", 10, 0.9 - layer / 10) for name in names for layer in range(3)]
    assert worst_layer_sentences(ranked(layers), "recall", 10)[0][1].endswith("; 2 more in the table.")


def test_a_near_tie_for_the_worst_layer_is_named_and_flat_methods_have_none() -> None:
    values = {"claa": (0.6, 0.3, 0.31), "tova": (0.5, 0.2, 0.35), "speculative": (0.4, 0.4, 0.4)}
    layers = [
        at_layer("a", name, layer, "recall", 10, value) for name in values for layer, value in enumerate(values[name])
    ]
    said, _ = worst_layer_sentences(ranked(layers), "recall", 10)
    assert said[0].endswith("tova at layer 1, 0.200 (0.150 below its mean over layers).")
    assert said[1].endswith("claa at layer 1, 0.300 (0.103 below its mean over layers; next is layer 2 with 0.310).")
    assert said[2] == "recall@10 is the same at all layers for speculative."


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
