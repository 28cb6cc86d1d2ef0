"""Results and gaps of made-up contestants, and bounds that were beaten."""

from tests.report.contestant_examples import accuracy_tables, fidelity_tables, without
from tokenrank.report.sentences.gap_sentences import bound_sentence, cost_sentence, methods, result_sentences

FEW = ("full", "fastkv", "claa", "random", "random@claa", "oracle", "oracle@claa")


def test_methods_are_neither_full_nor_bounds_nor_controls() -> None:
    assert methods(accuracy_tables(FEW)) == ["fastkv", "claa"]


def test_results_are_said_best_first_with_the_gap_of_the_own_engine() -> None:
    said = result_sentences(accuracy_tables(FEW), "accuracy")
    assert said[0] == "accuracy of the full prefill: 0.490 [0.470, 0.510]."
    # claa: (0.470 - 0.33) / (0.482 - 0.33) = 0.92; fastkv: (0.467 - 0.31) / (0.478 - 0.31) = 0.93
    assert said[1] == (
        "accuracy at keep rate 10 %: claa 0.470 [0.450, 0.490], gap closed 0.92 [0.82, 1.02]; "
        "fastkv 0.467 [0.447, 0.487], gap closed 0.93 [0.83, 1.03]."
    )
    assert len(said) == 4


def test_of_a_loss_the_smallest_is_first() -> None:
    said = result_sentences(fidelity_tables(FEW), "loss")
    assert said[1].startswith("loss at keep rate 10 %: claa 0.480 [0.460, 0.500], gap closed 1.03 [0.93, 1.13]; fastkv")


def test_where_an_oracle_is_no_better_than_random_there_is_no_gap() -> None:
    tables = accuracy_tables(FEW)
    lost = (tables.summary["statistic"] == "gap_closed") & (tables.summary["heuristic"] == "claa")
    tables.summary.loc[lost & (tables.summary["keep"] == 10), ["value", "low", "high"]] = float("nan")
    assert result_sentences(tables, "accuracy")[-1] == (
        "No gap in accuracy to close, as the oracle is not shown to be better than random with the engine: at 10 % that of claa."
    )
    bare = without(without(accuracy_tables(("full", "claa")), "oracle"), "random")
    assert not any("No gap" in each for each in result_sentences(bare, "accuracy"))


def test_an_oracle_that_was_beaten_is_named_and_otherwise_none_is() -> None:
    # at 10 % claa's loss is 0.48, its oracle's 0.52, +- 0.015
    assert bound_sentence(fidelity_tables(FEW), ["loss"]) == (
        "Exploratory: an oracle is beaten beyond noise, so it is no upper bound there: claa beats oracle@claa at 10 % in loss."
    )
    nobody = ("full", "fastkv", "random", "oracle")
    assert bound_sentence(fidelity_tables(nobody), ["loss"]) == (
        "Exploratory: no method is better than the oracle of its engine beyond noise in loss."
    )
    assert bound_sentence(fidelity_tables(("full", "fastkv")), ["loss"]) == ""


def test_costs_are_spans_over_the_methods() -> None:
    said = cost_sentence(accuracy_tables(FEW))
    assert "0.61 to 0.62 of the FLOPs and 0.10 to 0.20 of the KV cache at keep rate 10 %" in said
