"""The reserved cache: holds all tokens in order without moving them, refuses more than its capacity, and changes no logits."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel
from transformers.cache_utils import Cache, DynamicCache, DynamicIndexedLayer

from tokenrank.capture.cache import allocated_bytes, cached_heads, keep_in_cache, reserved_cache


def states(tokens: int, seed: int) -> Tensor:
    """(batch, kv_heads, tokens, dim), random."""
    return torch.randn(1, 2, tokens, 8, generator=torch.Generator().manual_seed(seed))


def llama(layers: int) -> PreTrainedConfig:
    """A config of so many layers."""
    return AutoConfig.for_model("llama", num_hidden_layers=layers)


def places(cache: Cache) -> list[tuple[int, int]]:
    """Where the keys and values lie after each of three updates."""
    held = [cache.update(states(tokens, seed=tokens), states(tokens, seed=-tokens), 0) for tokens in (5, 1, 1)]
    return [(keys.data_ptr(), values.data_ptr()) for keys, values in held]


def test_all_that_was_given_is_held_in_order() -> None:
    cache = reserved_cache(llama(2), capacity=8)
    keys, values = states(8, seed=0), states(8, seed=1)
    for start, stop in [(0, 5), (5, 6), (6, 8)]:
        held = cache.update(keys[:, :, start:stop], values[:, :, start:stop], 1)
        assert torch.equal(held[0], keys[:, :, :stop])
        assert torch.equal(held[1], values[:, :, :stop])
        assert cache.get_seq_length(1) == stop
    assert cache.get_seq_length(0) == 0  # the other layer


def test_what_is_held_never_moves() -> None:
    assert len(set(places(reserved_cache(llama(1), capacity=7)))) == 1
    assert len(set(places(DynamicCache()))) > 1  # transformers' own does


def test_more_tokens_than_there_is_room_for_are_an_error() -> None:
    cache = reserved_cache(llama(1), capacity=6)
    cache.update(states(6, seed=0), states(6, seed=1), 0)
    with pytest.raises(ValueError, match="room for 6 tokens, 7 were to be held"):
        cache.update(states(1, seed=2), states(1, seed=3), 0)
    assert cache.get_seq_length(0) == 6


def test_dtype_is_that_of_the_model() -> None:
    keys, values = reserved_cache(llama(1), capacity=6).update(states(2, 0).bfloat16(), states(2, 1).bfloat16(), 0)
    assert keys.dtype == values.dtype == torch.bfloat16


def tiny(architecture: str) -> PreTrainedModel:
    config = AutoConfig.for_model(
        architecture,
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        initializer_range=0.3,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
        **({"sliding_window": 8} if architecture == "mistral" else {}),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    model.train(False)
    return model


@torch.inference_mode()
def logits(model: PreTrainedModel, cache: Cache) -> Tensor:
    """(tokens, vocabulary), of a prompt of 30 tokens, then one token, then three."""
    ids = torch.randint(0, 64, (1, 34), generator=torch.Generator().manual_seed(0))
    parts = [ids[:, :30], ids[:, 30:31], ids[:, 31:]]
    return torch.cat([model(input_ids=part, past_key_values=cache, use_cache=True).logits[0] for part in parts])


@pytest.mark.parametrize("architecture", ["llama", "mistral"])
@pytest.mark.parametrize(
    "dynamic",
    [lambda model: DynamicCache(), lambda model: DynamicCache(config=model.config)],
    ids=["plain", "windowed"],
)
def test_the_model_computes_what_it_does_with_its_own_cache(
    architecture: str, dynamic: Callable[[PreTrainedModel], Cache]
) -> None:
    model = tiny(architecture)
    ours = logits(model, reserved_cache(llama(2), capacity=34))
    assert torch.allclose(ours, logits(model, dynamic(model)), rtol=1e-4, atol=1e-4)


def test_a_sliding_window_layer_keeps_all_its_tokens() -> None:
    cache = reserved_cache(llama(2), capacity=34)
    logits(tiny("mistral"), cache)
    layers: list[Any] = list(cache.layers)
    assert [layer.get_seq_length() for layer in layers] == [34, 34]
    assert [layer.keys.shape[-2] for layer in layers] == [34, 34]  # transformers' own would keep 7


def filled(kind: str) -> Cache:
    """Two key heads of five tokens in a layer of this kind."""
    settings: dict[str, Any] = {"num_hidden_layers": 1, "layer_types": [kind], "sliding_window": 3}
    config = PreTrainedConfig(**settings)
    cache = reserved_cache(config, capacity=9)
    cache.update(states(5, 0), states(5, 1), 0)
    return cache


@pytest.mark.parametrize("kind", ["full_attention", "sliding_attention", "hybrid", "hybrid_sliding"])
def test_layers_of_every_kind_hold_all_and_keep_what_they_are_told(kind: str) -> None:
    """Transformers' own windowed layers would hold two of the five tokens."""
    cache, rows = filled(kind), torch.tensor([[0, 2, 4], [1, 2, 3]])
    assert cached_heads(cache, 0) == 2
    keep_in_cache(cache, 0, rows)
    keys, values = cache.update(states(1, 2), states(1, 3), 0)
    for held, given, new in ((keys, states(5, 0), states(1, 2)), (values, states(5, 1), states(1, 3))):
        wanted = torch.stack([given[0, head, rows[head]] for head in range(2)])[None]
        assert torch.equal(held, torch.cat([wanted, new], dim=2))


def test_a_layer_that_caches_more_for_each_token_is_refused() -> None:
    """An indexer's keys would stay behind as many as before."""
    cache = filled("indexed_attention")
    assert isinstance(cache.layers[0], DynamicIndexedLayer)
    with pytest.raises(
        ValueError, match="layer 0 is cached in a DynamicIndexedLayer, of which it is not known how to keep"
    ):
        keep_in_cache(cache, 0, torch.tensor([[0], [1]]))


def test_tokens_for_another_number_of_heads_and_empty_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="kept for 4 heads of layer 0, must be for the 2 that are cached"):
        keep_in_cache(filled("full_attention"), 0, torch.zeros(4, 1, dtype=torch.int64))
    with pytest.raises(ValueError, match="the cache holds nothing of layer 1"):
        cached_heads(reserved_cache(llama(2), capacity=5), 1)


def test_the_bytes_of_a_cache_hold_its_room() -> None:
    cache = reserved_cache(llama(2), capacity=10)
    assert allocated_bytes(cache) == 0
    cache.update(states(3, seed=0), states(3, seed=1), 0)
    assert allocated_bytes(cache) == 2 * 2 * 10 * 8 * 4  # keys and values, heads, capacity, dim, float32
