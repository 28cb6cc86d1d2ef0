"""``read_up_to``: the layers of an ordinary reading, no layer after the last one asked for, nothing left behind."""

import pytest
import torch
from torch import Tensor

from tokenrank.capture.decoder_layers import decoder_layers
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.needs import Needs
from tokenrank.capture.partial import read_up_to
from tokenrank.capture.reading import read
from tokenrank.models.architectures import tiny_of


def prompt(tokens: int = 30) -> Tensor:
    return torch.randint(0, 64, (tokens,), generator=torch.Generator().manual_seed(2))


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
    for one, other in zip(part, whole, strict=False):
        assert torch.equal(one.keys, other.keys)
        assert torch.equal(one.queries, other.queries)


def test_a_layer_without_attention_cannot_be_read_up_to() -> None:
    with pytest.raises(ValueError, match="JambaForCausalLM has no attention layer 2"):
        read_up_to(tiny_of("jamba (hybrid)"), prompt(), 2, lambda _: None)


def test_what_is_needed_comes_with_the_layers_and_nothing_else() -> None:
    model = tiny_of("llama")
    seen: list[AttentionLayer] = []
    read_up_to(model, prompt(), 1, seen.append, Needs(call=True, values=True, window=99))
    assert [layer.call.module.layer_idx for layer in seen if layer.call] == [0, 1]
    assert [layer.values.shape for layer in seen if layer.values is not None] == [(2, 30, 8)] * 2
    assert {layer.shared_rows for layer in seen} == {30}  # no more than there are
    read_up_to(model, prompt(), 1, seen.append)
    assert (seen[-1].call, seen[-1].values, seen[-1].shared_rows) == (None, None, 0)
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_an_error_of_the_visitor_comes_through_and_leaves_no_hook() -> None:
    model = tiny_of("llama")

    def fail(_: AttentionLayer) -> None:
        raise RuntimeError("the visitor broke")

    with pytest.raises(RuntimeError, match="the visitor broke"):
        read_up_to(model, prompt(), 1, fail, Needs(call=True))
    assert not any(module._forward_pre_hooks for module in model.modules())
