"""The select layer: half the layers less one, if it has full attention; the first layer that its ranking reads."""

import pytest

from tokenrank.capture.model_layers import ModelLayers
from tokenrank.capture.select_layer import first_layer_read, resolve_select_layer

HYBRID = ModelLayers(12, (2, 5, 8, 11))


def decoder(total: int, windowed: tuple[int, ...] = ()) -> ModelLayers:
    """A model with attention in every layer."""
    return ModelLayers(total, tuple(range(total)), dict.fromkeys(windowed, 16))


@pytest.mark.parametrize(("total", "wanted"), [(30, 14), (32, 15), (3, 0), (1, 0)])
def test_the_default_is_half_the_layers_less_one(total: int, wanted: int) -> None:
    assert resolve_select_layer(decoder(total), None) == wanted


def test_a_windowed_layer_is_passed_over_for_the_full_one_before() -> None:
    layers = decoder(12, windowed=tuple(layer for layer in range(12) if layer % 6 != 3))
    assert resolve_select_layer(layers, None) == 3


def test_with_no_full_layer_before_the_first_after_is_taken() -> None:
    assert resolve_select_layer(decoder(8, windowed=tuple(range(6))), None) == 6


def test_where_all_are_windowed_they_count_as_full() -> None:
    assert resolve_select_layer(decoder(8, windowed=tuple(range(8))), None) == 3


def test_a_hybrid_selects_at_an_attention_layer() -> None:
    assert resolve_select_layer(HYBRID, None) == 5
    assert resolve_select_layer(ModelLayers(12, (8, 11)), None) == 8


def test_the_layer_that_is_asked_for_is_taken_even_if_windowed() -> None:
    assert resolve_select_layer(decoder(4, windowed=(1,)), 1) == 1


@pytest.mark.parametrize(("combined", "first"), [(1, 8), (2, 5), (9, 2), (None, 2)])
def test_the_layers_that_a_ranking_reads_are_counted_among_the_attention_layers(
    combined: int | None, first: int
) -> None:
    assert first_layer_read(HYBRID, 8, combined) == first


def test_a_layer_without_attention_is_refused() -> None:
    with pytest.raises(ValueError, match="select_layer is 4, must be an attention layer of the model: 2, 5"):
        resolve_select_layer(ModelLayers(6, (2, 5)), 4)
