"""``model_layers``: the same with weights and without, on every architecture; it changes nothing; clear errors."""

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from tests.capture.odd_models import odd_model
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.capture.pruning import PrunedRun
from tokenrank.capture.reading import read
from tokenrank.models.architectures import ARCHITECTURES, SHAPE, WINDOW, tiny_of

NEEDS_WEIGHTS: tuple[str, ...] = ()  # architectures whose forward pass cannot run on the meta device
IMPLEMENTATIONS = ["sdpa", "eager"]


def without_weights(architecture: str, **named: Any) -> PreTrainedModel:
    """On the meta device."""
    kind, settings = ARCHITECTURES[architecture]
    with torch.device("meta"):
        config = AutoConfig.for_model(kind, **(SHAPE | settings))
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, **named)  # type: ignore[no-untyped-call]
    model.train(False)
    return model


def read_layers(model: PreTrainedModel) -> ModelLayers:
    """From an ordinary reading of a prompt longer than the window."""
    ids = torch.arange(WINDOW + 4)
    layers = read(model, ids, lambda _: None, max_new_tokens=2).answer_layers
    windows = {layer.index: layer.sliding_window for layer in layers if layer.sliding_window is not None}
    return ModelLayers(model.config.num_hidden_layers, tuple(layer.index for layer in layers), windows)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_loaded_models_layers_are_those_of_a_reading(architecture: str) -> None:
    assert model_layers(tiny_of(architecture)) == read_layers(tiny_of(architecture))


@pytest.mark.parametrize("architecture", sorted(set(ARCHITECTURES) - set(NEEDS_WEIGHTS)))
def test_weights_are_not_needed(architecture: str) -> None:
    assert model_layers(without_weights(architecture)) == model_layers(tiny_of(architecture))


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_each_implementation_gives_the_same(implementation: str) -> None:
    wanted = ModelLayers(3, (0, 1, 2), {0: WINDOW, 2: WINDOW})
    assert model_layers(tiny_of("gemma3", implementation)) == wanted
    assert model_layers(without_weights("gemma3", attn_implementation=implementation)) == wanted


def test_of_a_hybrid_only_the_layers_with_attention_are_named() -> None:
    assert model_layers(without_weights("jamba (hybrid)")) == ModelLayers(3, (1,))


@pytest.mark.parametrize("architecture", ["llama", "gpt_oss", "qwen3_next (hybrid)", "falcon_h1 (hybrid)"])
def test_nothing_of_the_model_changes(architecture: str) -> None:
    model, fresh = tiny_of(architecture), tiny_of(architecture)
    before = tensors(model)
    model_layers(model)
    assert {name: before[name].equal(tensor) for name, tensor in tensors(model).items()} == dict.fromkeys(before, True)
    ids = torch.arange(9)
    found, wanted = (read(each, ids, lambda _: None, max_new_tokens=4).answer_ids for each in (model, fresh))
    assert found.tolist() == wanted.tolist()


def tensors(model: PreTrainedModel) -> dict[str, Tensor]:
    """Copies of all that the model holds."""
    return {name: tensor.clone() for name, tensor in [*model.named_parameters(), *model.named_buffers()]}


def test_the_way_of_calling_experts_is_put_back() -> None:
    model = without_weights("qwen3_moe")
    before = model.config._experts_implementation
    model_layers(model)
    assert model.config._experts_implementation == before


def test_a_forward_pass_that_needs_numbers_says_so_and_works_with_weights() -> None:
    def look(_: object, arguments: tuple[Tensor, ...]) -> None:
        arguments[0].sum().tolist()

    model, loaded = without_weights("llama"), tiny_of("llama")
    for each in (model, loaded):
        each.model.layers[1].mlp.register_forward_pre_hook(look)
    with pytest.raises(ValueError, match=r"LlamaForCausalLM cannot be inspected without weights .*: load it first"):
        model_layers(model)
    assert model_layers(loaded).attention == (0, 1, 2)


@pytest.mark.parametrize("architecture", ["gpt2", "opt", "dbrx"])
def test_looks_for_padding_and_for_chosen_experts_need_no_weights(architecture: str) -> None:
    """gpt2 asks whether a token is the padding; the experts of dbrx are counted."""
    model, loaded = without_weights(architecture), tiny_of(architecture)
    model.config.pad_token_id = 0
    assert model_layers(model) == model_layers(loaded) == ModelLayers(3, (0, 1, 2))


def test_a_model_that_cannot_be_watched_is_refused_without_weights_too() -> None:
    shape = {"hidden_size": 32, "n_layer": 2, "n_head": 4, "vocab_size": 64}
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model("bloom", **shape))  # type: ignore[no-untyped-call]
    with pytest.raises(ValueError, match="BloomForCausalLM computes attention outside"):
        model_layers(model)


def test_a_model_that_shows_no_layer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    ordinary = {"sdpa": "sdpa"}  # transformers' own function, which calls no visitor
    monkeypatch.setattr("tokenrank.capture.attention.ROUTES", ordinary)
    with pytest.raises(ValueError, match="no attention layer of LlamaForCausalLM was captured"):
        model_layers(tiny_of("llama", "sdpa"))


ZAMBA2: dict[str, Any] = {
    "layer_types": ["linear_attention", "hybrid", "hybrid"],
    "mamba_d_state": 8,
    "n_mamba_heads": 4,
    "mamba_ngroups": 1,
    "chunk_size": 8,
    "num_mem_blocks": 1,
    "mamba_headdim": 16,
}
REFUSED = {
    "diffllama": (
        {},
        r"^DiffLlamaForCausalLM calls attention 2 times under the layer number 0, and only layers with one",
    ),
    "hrm_text": ({}, r"^HrmTextForCausalLM calls attention 8 times under the layer number 0"),
    "zamba2": (ZAMBA2, r"^Zamba2Attention has the layer number -1, must be from 0 on"),
    "minimax": (
        {"num_local_experts": 2, "block_size": 8},
        r"^MiniMaxForCausalLM cannot be .* \(ValueError: MiniMax uses",
    ),
    "nemotron": ({}, r"^no attention layer of NemotronForCausalLM was captured: it has none, or computes"),
    "moshi": (
        {"sliding_window": WINDOW},
        r"^MoshiForCausalLM forgets keys beyond its sliding window .* \(layers 0, 1, 2\)",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_models_that_cannot_be_ranked_are_refused_at_once_with_the_reason(kind: str) -> None:
    settings, sentence = REFUSED[kind]
    with pytest.raises(ValueError, match=sentence):
        model_layers(odd_model(kind, **settings))


def test_a_model_whose_cache_forgets_nothing_that_masks_show_passes() -> None:
    """The control of moshi: the windows of mistral are in its masks, too."""
    assert model_layers(tiny_of("mistral (window)")).windows == dict.fromkeys((0, 1, 2), WINDOW)


def test_what_was_found_is_kept_with_the_model() -> None:
    model = tiny_of("llama")
    first = model_layers(model)
    model.register_forward_pre_hook(lambda *_: pytest.fail("inspected twice"))
    assert model_layers(model) is first
    assert model_layers(tiny_of("llama")) is not first


@pytest.mark.parametrize("architecture", ["phimoe (window)", "mistral (window)"])
def test_a_window_that_is_set_later_is_followed(architecture: str) -> None:
    """The masks of a run on kept tokens are made from the window that was found, so no other one is caught there."""
    model, fresh = tiny_of(architecture), tiny_of(architecture)
    assert set(model_layers(model).windows.values()) == {WINDOW}
    model.config.sliding_window = fresh.config.sliding_window = WINDOW // 2
    ids, positions = torch.arange(30), torch.arange(0, 60, 2)
    found, wanted = (PrunedRun(each, ids, answer_tokens=1, positions=positions).prefill() for each in (model, fresh))
    assert found.equal(wanted)
    assert set(model_layers(model).windows.values()) == {WINDOW // 2}


def test_a_model_in_training_mode_is_refused() -> None:
    model = tiny_of("llama")
    model_layers(model)
    model.train()
    with pytest.raises(ValueError, match=r"LlamaForCausalLM is in training mode, .*: call model.eval\(\) first"):
        read(model, torch.arange(9), lambda _: None, max_new_tokens=1)
    model.train(False)
    read(model, torch.arange(9), lambda _: None, max_new_tokens=1)


def test_an_earlier_inspection_leaves_no_window_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a layer's mask is not one that was noted, its window is that of its arguments."""
    monkeypatch.setattr("tokenrank.capture.model_masks.MadeMask.is_of", lambda _self, _mask: False)
    model = tiny_of("gemma3")
    assert model_layers(model).windows == {0: WINDOW, 2: WINDOW}
    model.config.initializer_range = 0.1  # any change
    for module in model.modules():
        if getattr(module, "sliding_window", None) is not None:
            module.sliding_window = WINDOW // 2  # type: ignore[assignment]
    assert model_layers(model).windows == {0: WINDOW // 2, 2: WINDOW // 2}
