"""PositionedCache: what stays, where it stands, how many bytes the next token can see; worked by hand."""

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoConfig

from tokenrank.capture.positioned_cache import PositionedCache

BYTES = 2 * 8 * 4  # of one token in one key head: keys and values, dim, float32


def states(tokens: int, seed: int) -> Tensor:
    """(1, kv_heads, tokens, dim), random."""
    return torch.randn(1, 2, tokens, 8, generator=torch.Generator().manual_seed(seed))


def filled(tokens: int, window: int | None) -> PositionedCache:
    """Two layers that hold this many tokens at positions 0, 2, 4, ...; the second one may be windowed."""
    kept = PositionedCache(AutoConfig.for_model("llama", num_hidden_layers=2), capacity=10)
    for layer, reach in ((0, None), (1, window)):
        kept.cache.update(states(tokens, layer), states(tokens, layer + 10), layer)
        kept.add(layer, 2 * torch.arange(tokens), reach)
    return kept


def held(kept: PositionedCache, layer: int) -> tuple[Tensor, Tensor]:
    """The layer's keys and values."""
    layers: list[Any] = kept.cache.layers
    return layers[layer].keys, layers[layer].values


def test_each_key_head_keeps_its_own_tokens() -> None:
    kept, rows = filled(5, None), torch.tensor([[0, 4], [1, 2]])
    kept.keep(1, rows, 2 * torch.arange(5))
    for have, had in zip(held(kept, 1), (states(5, 1), states(5, 11)), strict=True):
        assert torch.equal(have, torch.stack([had[0, 0, [0, 4]], had[0, 1, [1, 2]]])[None])
    assert held(kept, 0)[0].shape[2] == 5


def test_positions_are_known_of_windowed_layers_and_follow_what_is_kept() -> None:
    kept = filled(5, 4)
    assert kept.positions(0) is None
    assert kept.positions(1).tolist() == [[0, 2, 4, 6, 8]]  # type: ignore[union-attr]
    kept.keep(1, torch.tensor([[0, 4], [1, 2]]), 2 * torch.arange(5))
    kept.add(1, torch.tensor([9]), 4)
    assert kept.positions(1).tolist() == [[0, 8, 9], [2, 4, 9]]  # type: ignore[union-attr]


def test_every_layer_says_which_positions_it_holds() -> None:
    kept = filled(5, None)
    kept.keep(1, torch.tensor([[0, 4], [1, 2]]), 2 * torch.arange(5))
    for layer in (0, 1):
        for position in (9, 10):
            kept.add(layer, torch.tensor([position]), None)
    assert kept.held(0).tolist() == [[0, 2, 4, 6, 8, 9, 10]]
    assert kept.held(1).tolist() == [[0, 8, 9, 10], [2, 4, 9, 10]]
    with pytest.raises(ValueError, match="layer 7 holds no tokens; the layers that do: 0, 1"):
        kept.held(7)


def test_bytes_are_those_of_all_that_is_held() -> None:
    kept = filled(5, None)
    assert kept.nbytes(torch.tensor([8])) == 2 * 2 * 5 * BYTES
    kept.keep(0, torch.tensor([[0], [1]]), 2 * torch.arange(5))
    assert kept.nbytes(torch.tensor([8])) == 2 * (1 + 5) * BYTES


def test_of_a_windowed_layer_only_what_the_next_token_sees_counts() -> None:
    kept = filled(5, 4)  # the token at position 9 sees positions 6 to 9
    assert kept.nbytes(torch.tensor([8])) == 2 * (5 + 2) * BYTES
    kept.keep(1, torch.tensor([[0, 4], [1, 2]]), 2 * torch.arange(5))  # positions 0 and 8, 2 and 4
    assert kept.nbytes(torch.tensor([8])) == 2 * 5 * BYTES + BYTES


def test_layers_that_are_still_empty_reserve_less() -> None:
    kept = PositionedCache(AutoConfig.for_model("llama", num_hidden_layers=2), capacity=10)
    kept.cache.update(states(5, 0), states(5, 1), 0)
    kept.reserve_less(3)
    layers: list[Any] = kept.cache.layers
    assert [layer.capacity for layer in layers] == [10, 7]
    assert kept.nbytes(torch.tensor([4])) == 2 * 5 * BYTES  # nothing of the empty layer
