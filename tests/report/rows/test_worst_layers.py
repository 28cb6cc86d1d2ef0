"""Worst layers by hand: windowed layers, ties, rankings without a value or without a worst layer, and one definition everywhere."""

import math

import pandas as pd
import pytest

from tests.report.layer_examples import ranking
from tokenrank.report.pictures.layer_values import layer_values
from tokenrank.report.rows.worst_layers import counted_layers, worst_layers
from tokenrank.report.sentences.layer_sentences import worst_layer_sentences

MEANS = pd.DataFrame([[0.6, 0.3, 0.6], [0.2, 0.5, 0.8]], index=["claa", "gemfilter"])


def test_the_worst_layer_has_the_lowest_mean() -> None:
    found = worst_layers(MEANS, [])
    assert found["layer"].to_dict() == {"claa": 1, "gemfilter": 0}
    assert found["drop"].to_dict() == pytest.approx({"claa": 0.2, "gemfilter": 0.3})
    assert not found["flat"].any()


def test_windowed_layers_count_only_where_there_are_no_others() -> None:
    found = worst_layers(MEANS, [1])
    assert found["layer"].to_dict() == {"claa": 0, "gemfilter": 0}
    assert found.loc["gemfilter", "mean"] == pytest.approx(0.5)
    assert bool(found.loc["claa", "flat"])
    assert worst_layers(MEANS, [0, 1, 2])["layer"].to_dict() == {"claa": 1, "gemfilter": 0}
    assert counted_layers([1, 2], [0, 1]) == [2]  # the metric has no value at layer 0


def test_a_ranking_without_a_value_is_left_out_and_the_first_of_equal_layers_is_the_worst() -> None:
    means = pd.DataFrame([[math.nan] * 3, [0.5, 0.1, 0.1]], index=["tova", "asl"])
    assert worst_layers(means, [])["layer"].to_dict() == {"asl": 1}
    assert worst_layers(means.loc[["tova"]], []).empty


@pytest.mark.parametrize(
    ("values", "flat"), [((0.4, 0.4, 0.4), True), ((0.4, 0.4005, 0.4), True), ((0.4, 0.402, 0.4), False)]
)
def test_a_fall_that_reads_as_nothing_is_none(values: tuple[float, ...], flat: bool) -> None:
    assert bool(worst_layers(pd.DataFrame([values], index=["asl"]), []).loc["asl", "flat"]) == flat


def test_a_near_tie_is_named() -> None:
    found = worst_layers(pd.DataFrame([[0.6, 0.3, 0.31], [0.5, 0.2, 0.35]], index=["claa", "tova"]), [])
    assert found.loc["claa", "near"] == 2
    assert found.loc["claa", "near_value"] == pytest.approx(0.31)
    assert found.loc[["tova"], ["near", "near_value"]].isna().all(axis=None)


def test_sentences_and_pictures_have_the_same_worst_layer() -> None:
    """Layer 4 is the lowest of claa, and windowed here."""
    shown = layer_values(ranking(windowed=[4]), "recall", 10)
    assert shown.means.loc["claa"].idxmin() == 4
    assert shown.lowest["claa"] == 2
    assert "claa at layer 2," in " ".join(worst_layer_sentences(ranking(windowed=[4]), "recall", 10)[0])
