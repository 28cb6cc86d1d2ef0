"""``decoder_layers``: found on every architecture, in the order in which tokens pass them; two lists are refused."""

import pytest
import torch
from torch import nn

from tokenrank.capture.decoder_layers import decoder_layers
from tokenrank.models.architectures import ARCHITECTURES, tiny_of


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_decoder_layers_are_found_whatever_they_are_called(architecture: str) -> None:
    model = tiny_of(architecture)
    passed: list[int] = []
    for place, layer in enumerate(decoder_layers(model)):
        layer.register_forward_pre_hook(lambda *_, place=place: passed.append(place))
    with torch.inference_mode():
        model(input_ids=torch.arange(5)[None])
    assert passed == [0, 1, 2]


def test_a_list_of_another_length_is_no_list_of_layers() -> None:
    model = tiny_of("llama")
    layers = model.model.layers
    model.others = nn.ModuleList(list(layers)[:2])
    model.reversed = nn.ModuleList(reversed(list(layers)))
    assert decoder_layers(model) is layers


def test_a_model_with_two_lists_of_its_layers_is_refused() -> None:
    model = tiny_of("llama")
    model.twins = nn.ModuleList(list(model.model.layers))
    with pytest.raises(ValueError, match="LlamaForCausalLM has 2 lists of its 3 decoder layers, must have one"):
        decoder_layers(model)


def test_a_module_whose_number_is_none_does_not_count() -> None:
    """In hunyuan_v1_dense the MLP has a ``layer_idx`` that is None."""
    model = tiny_of("llama")
    for layer in model.model.layers:
        layer.mlp.layer_idx = None
    assert decoder_layers(model) is model.model.layers
