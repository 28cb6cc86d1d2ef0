"""From an attention call to a layer: every rule arrives in its field; module calls are held until they are taken."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tokenrank.capture.captured_layer import ModuleCalls, captured_layer
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.needs import NOTHING, Needs
from tokenrank.capture.rules import AttentionRules

TOKENS = 7


class Attention(nn.Module):
    """Looks like an attention module of transformers."""

    layer_idx = 4

    def forward(self, hidden_states: Tensor, mask: str = "none") -> Tensor:
        """What it was given."""
        return hidden_states


def layer_of(needs: Needs = NOTHING, **rules: Any) -> AttentionLayer:
    query, key, value = torch.randn(1, 4, TOKENS, 8), torch.randn(1, 2, TOKENS, 8), torch.randn(1, 2, TOKENS, 12)
    given = AttentionRules(scaling=0.5, **rules)
    return captured_layer(torch.arange(TOKENS), Attention(), query, key, value, given, needs=needs)


def test_the_rules_of_the_call_arrive_in_the_layer() -> None:
    sinks = torch.ones(4)
    layer = layer_of(softcap=3.0, sliding_window=5, sinks=sinks)
    assert (layer.index, layer.scale, layer.softcap, layer.sliding_window) == (4, 0.5, 3.0, 5)
    assert layer.sinks is sinks
    plain = layer_of()
    assert (plain.softcap, plain.sliding_window, plain.sinks, plain.positions) == (None, None, None, None)


@pytest.mark.parametrize("number", [None, -1, 1.5])
def test_a_module_without_a_layer_number_is_refused(number: Any) -> None:
    module = Attention()
    module.layer_idx = number
    states = torch.randn(1, 2, TOKENS, 8)
    with pytest.raises(ValueError, match=f"Attention has the layer number {number}, must be from 0 on"):
        captured_layer(torch.arange(TOKENS), module, states, states, states, AttentionRules(1.0))


@pytest.mark.parametrize(("queries", "keys"), [(TOKENS, TOKENS + 2), (TOKENS - 1, TOKENS)])
def test_attention_that_is_not_to_single_tokens_is_refused(queries: int, keys: int) -> None:
    query, key = torch.randn(1, 2, queries, 8), torch.randn(1, 2, keys, 8)
    with pytest.raises(ValueError, match=f"layer 4 has {queries} queries and {keys} keys for {TOKENS} tokens"):
        captured_layer(torch.arange(TOKENS), Attention(), query, key, key, AttentionRules(1.0))


def test_shapes_lose_the_axis_of_the_batch() -> None:
    layer = layer_of(Needs(values=True))
    assert layer.queries.shape == (4, TOKENS, 8)
    assert layer.keys.shape == (2, TOKENS, 8)
    assert layer.values is not None
    assert layer.values.shape == (2, TOKENS, 12)


def test_only_what_is_needed_is_there() -> None:
    assert (layer_of().values, layer_of().call, layer_of().shared_rows) == (None, None, 0)
    assert layer_of(Needs(window=3)).shared_rows == 3
    assert layer_of(Needs(window=99)).shared_rows == TOKENS


def test_a_call_is_taken_once_with_its_arguments() -> None:
    module, calls, states, value = Attention(), ModuleCalls(), torch.ones(1, 2, 3), torch.zeros(1, 1, 2, 3)
    model = nn.Sequential(module, nn.Linear(3, 3))
    with calls.recorded(model, Needs(call=True)):
        module(states, mask="causal")
        call = calls.take(module, value)
        assert call is not None
        assert call.module is module
        assert call.hidden_states is states
        assert call.values is value
        assert call.arguments == {"mask": "causal"}
        assert calls.take(module, value) is None
        module(hidden_states=states)
        named = calls.take(module, value)
        assert named is not None
        assert named.hidden_states is states
        assert named.arguments == {}


def test_nothing_is_recorded_unless_needed_and_nothing_is_left() -> None:
    module, calls = Attention(), ModuleCalls()
    with calls.recorded(module, Needs(values=True)):
        assert not module._forward_pre_hooks
        module(torch.ones(1, 2, 3))
        assert calls.take(module, torch.ones(1)) is None
    with calls.recorded(module, Needs(call=True)):
        module(torch.ones(1, 2, 3))
    assert not module._forward_pre_hooks
    assert calls.take(module, torch.ones(1)) is None  # forgotten at the block's end
