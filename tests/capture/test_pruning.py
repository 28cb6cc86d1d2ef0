"""What every pruned prefill is made of: what is seen, how far a reading goes, positions, and what it refuses."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.layers import decoder_layers
from tokenrank.capture.partial import read_up_to
from tokenrank.capture.pruning import Keep, PrunedRun
from tokenrank.capture.reading import read
from tokenrank.models.architectures import ARCHITECTURES, tiny_of

TOKENS = 30


def prompt(tokens: int = TOKENS) -> Tensor:
    return torch.randint(0, 64, (tokens,), generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_decoder_layers_are_found_whatever_they_are_called(architecture: str) -> None:
    model = tiny_of(architecture)
    layers = decoder_layers(model)
    passed: list[int] = []
    for place, layer in enumerate(layers):
        layer.register_forward_pre_hook(lambda *_, place=place: passed.append(place))
    with torch.inference_mode():
        model(input_ids=prompt()[None])
    assert passed == [0, 1, 2]


def test_a_model_with_two_lists_of_its_layers_is_refused() -> None:
    model = tiny_of("llama")
    model.twins = nn.ModuleList(list(model.model.layers))
    with pytest.raises(ValueError, match="LlamaForCausalLM has 2 lists of its 3 layers, must have one"):
        decoder_layers(model)


def test_the_layers_seen_are_those_of_a_reading() -> None:
    model = tiny_of("llama")
    wanted: list[AttentionLayer] = []
    found: list[AttentionLayer] = []
    read(model, prompt(), wanted.append, max_new_tokens=1)

    def visit(layer: AttentionLayer) -> Keep:
        found.append(layer)
        return Keep()

    PrunedRun(model, prompt(), room=1).prefill(visit)
    assert len(found) == len(wanted) == 3
    for one, other in zip(found, wanted, strict=True):
        assert torch.equal(one.queries, other.queries)
        assert torch.equal(one.keys, other.keys)


def test_nobody_is_asked_once_it_is_said_what_goes_on() -> None:
    seen: list[int] = []

    def visit(layer: AttentionLayer) -> Keep:
        seen.append(layer.index)
        return Keep(onward=torch.arange(5, TOKENS)) if layer.index == 1 else Keep()

    PrunedRun(tiny_of("llama"), prompt(), room=1).prefill(visit)
    assert seen == [0, 1]


@pytest.mark.parametrize("architecture", ["llama", "gemma2", "gpt2", "jamba (hybrid)"])
def test_a_reading_goes_no_further_than_asked(architecture: str) -> None:
    model = tiny_of(architecture)
    whole: list[AttentionLayer] = []
    part: list[AttentionLayer] = []
    passed: list[int] = []
    read(model, prompt(), whole.append, max_new_tokens=1)
    for place, layer in enumerate(decoder_layers(model)):
        layer.register_forward_pre_hook(lambda *_, place=place: passed.append(place))
    read_up_to(model, prompt(), 1, part.append)
    assert passed == [0, 1]
    assert [layer.index for layer in part] == [layer.index for layer in whole if layer.index <= 1]
    assert all(torch.equal(a.keys, b.keys) for a, b in zip(part, whole, strict=False))


def test_a_layer_without_attention_cannot_be_read_up_to() -> None:
    with pytest.raises(ValueError, match="JambaForCausalLM has no attention layer 2"):
        read_up_to(tiny_of("jamba (hybrid)"), prompt(), 2, lambda _: None)


def test_calls_come_with_the_layers_where_asked_for() -> None:
    model = tiny_of("llama")
    seen: list[AttentionLayer] = []
    read_up_to(model, prompt(), 1, seen.append, with_calls=True)
    assert [layer.call.module.layer_idx for layer in seen if layer.call] == [0, 1]
    read_up_to(model, prompt(), 1, seen.append)
    assert seen[-1].call is None
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_positions_are_where_the_tokens_stand() -> None:
    model: Any = tiny_of("llama")
    places = torch.tensor([0, 7, 8, 20])
    found = PrunedRun(model, prompt(4), room=1, positions=places).prefill()
    with torch.inference_mode():
        wanted, elsewhere = (
            model(input_ids=prompt(4)[None], position_ids=each[None], attention_mask=torch.ones(1, 4)).logits[0, -1]
            for each in (places, torch.arange(4))
        )
    assert torch.allclose(found, wanted, atol=1e-5)
    assert not torch.allclose(found, elsewhere, atol=1e-3)


def test_more_tokens_than_there_is_room_for_are_an_error() -> None:
    run = PrunedRun(tiny_of("llama"), prompt(), room=1)
    run.prefill(lambda layer: Keep(torch.arange(5).expand(layer.kv_heads, -1)))
    run.decode(1, TOKENS)
    with pytest.raises(ValueError, match="room for 6 tokens, 7 were to be held"):
        run.decode(1, TOKENS + 1)


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="the prompt is empty"):
        PrunedRun(tiny_of("llama"), prompt(0), room=1)


def test_a_model_that_takes_no_positions_is_refused() -> None:
    model: Any = copy.deepcopy(tiny_of("llama"))
    plain = model.forward
    model.forward = lambda input_ids, past_key_values=None, **named: plain(
        input_ids=input_ids, past_key_values=past_key_values, **named
    )
    with pytest.raises(ValueError, match="LlamaForCausalLM takes no positions"):
        PrunedRun(model, prompt(), room=1)
