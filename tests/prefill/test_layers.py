"""Which layer selects: half the layers less one, if it sees everything."""

import pytest

from tokenrank.prefill.layers import ModelLayers


@pytest.mark.parametrize(("total", "wanted"), [(30, 14), (32, 15), (3, 0), (1, 0)])
def test_half_the_layers_less_one(total: int, wanted: int) -> None:
    assert ModelLayers(total, range(total)).select_layer(None) == wanted


def test_a_windowed_layer_is_passed_over_for_the_full_one_before() -> None:
    layers = ModelLayers(12, range(12), windowed=[layer for layer in range(12) if layer % 6 != 3])
    assert layers.select_layer(None) == 3


def test_with_no_full_layer_before_the_first_after_is_taken() -> None:
    assert ModelLayers(8, range(8), windowed=range(6)).select_layer(None) == 6


def test_where_all_are_windowed_they_count_as_full() -> None:
    assert ModelLayers(8, range(8), windowed=range(8)).select_layer(None) == 3


def test_a_hybrid_selects_at_an_attention_layer() -> None:
    assert ModelLayers(12, [2, 5, 8, 11]).select_layer(None) == 5
    assert ModelLayers(12, [8, 11]).select_layer(None) == 8


def test_the_layer_that_is_asked_for_is_taken_even_if_windowed() -> None:
    assert ModelLayers(4, range(4), windowed=[1]).select_layer(1) == 1


@pytest.mark.parametrize(("layers", "first"), [(1, 8), (2, 5), (9, 2), (None, 2)])
def test_what_a_ranking_reads_is_counted_in_attention_layers(layers: int | None, first: int) -> None:
    assert ModelLayers(12, [2, 5, 8, 11]).first_read(8, layers) == first


def test_a_layer_without_attention_is_refused() -> None:
    with pytest.raises(ValueError, match="select_layer is 4, must be an attention layer of the model: 2, 5"):
        ModelLayers(6, [2, 5]).select_layer(4)
