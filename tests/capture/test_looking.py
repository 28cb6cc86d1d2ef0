"""``look``: what passes, and each kind of model that it refuses, with a control that passes."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tests.capture.odd_models import odd_model, window_in_the_mask
from tests.sweep.building import tiny_model
from tokenrank.capture.attention import FUSED
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.looking import BEYOND, SHORT, look
from tokenrank.models.architectures import ARCHITECTURES, WINDOW, tiny_of


@pytest.mark.parametrize("implementation", [None, "eager"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_passes(architecture: str, implementation: str | None) -> None:
    look(tiny_of(architecture, implementation), 40)


@pytest.mark.parametrize("kind", ["phimoe", "qwen2_moe"])
def test_windows_in_the_mask_pass(kind: str) -> None:
    look(window_in_the_mask(kind), 40)


def lengths_seen(model: PreTrainedModel, tokens: int) -> set[int]:
    seen: set[int] = set()
    model_layers(model)
    model.register_forward_pre_hook(lambda _, args, named: seen.add(named["input_ids"].shape[1]), with_kwargs=True)
    look(model, tokens)
    return seen - {1}


@pytest.mark.parametrize(
    ("architecture", "settings", "tokens", "lengths"),
    [
        ("llama", {}, 100, {SHORT - 1}),
        ("llama", {}, 10, {9}),
        ("llama", {}, 1, {1}),
        ("llama", {"index_topk": 50}, 100, {SHORT - 1, 50 + BEYOND - 1}),
        ("llama", {"nested": {"chunk_size": 60, "use_window": True}}, 100, {SHORT - 1, 60 + BEYOND - 1}),
        ("llama", {"attention_windows": [[40, 50], (60,)]}, 100, {SHORT - 1, 60 + BEYOND - 1}),
        ("llama", {"layers": [{"window": 40}, {"window": 60}]}, 100, {SHORT - 1, 60 + BEYOND - 1}),
        ("llama", {"index_topk": 50}, 50, {SHORT - 1}),  # no prompt is longer
        ("llama", {"index_topk": 50}, 51, {SHORT - 1, 50}),
        ("mistral (window)", {"sliding_window": WINDOW}, 100, {SHORT - 1}),
    ],
)
def test_the_second_look_is_longer_than_what_limits_a_query(
    architecture: str, settings: dict[str, Any], tokens: int, lengths: set[int]
) -> None:
    model = tiny_of(architecture)
    for name, value in settings.items():
        setattr(model.config, name, value)
    assert lengths_seen(model, tokens) == lengths - {1}


def test_a_model_that_has_passed_is_looked_at_again_only_if_a_longer_look_is_needed() -> None:
    model = tiny_of("mistral (window)")
    assert lengths_seen(model, 12)
    assert not lengths_seen(model, 12)
    assert not lengths_seen(model, 7)
    assert lengths_seen(model, 40)
    assert not lengths_seen(model, 100)  # no further window is passed


def test_a_model_is_looked_at_again_after_a_change_of_its_config_or_implementation() -> None:
    model = tiny_of("llama", "sdpa")
    assert lengths_seen(model, 40)
    assert not lengths_seen(model, 40)
    model.set_attn_implementation("eager")
    assert lengths_seen(model, 40)
    assert not lengths_seen(model, 40)
    model.config.index_topk = 30
    assert lengths_seen(model, 40) == {SHORT - 1, 30 + BEYOND - 1}


def test_a_copy_of_a_model_that_has_passed_is_not_looked_at_again() -> None:
    model = tiny_of("phimoe (window)")
    look(model, 40)
    other = copy.deepcopy(model)
    assert not lengths_seen(other, 40)
    assert model_layers(other).windows == {0: WINDOW, 1: WINDOW, 2: WINDOW}


def disturbed(model: PreTrainedModel, name: str) -> PreTrainedModel:
    """The model, whose first layer gives more while the attention's name is this one."""

    def more(_module: nn.Module, _given: Any, output: Any) -> Any:
        return output * 1.01 if model.config._attn_implementation == name else output

    model.model.layers[0].mlp.register_forward_hook(more)
    return model


def test_a_model_that_goes_by_the_name_of_its_attention_is_refused() -> None:
    look(disturbed(tiny_of("llama"), "another name"), 40)
    with pytest.raises(ValueError, match="LlamaForCausalLM answers differently when its attention is captured: after"):
        look(disturbed(tiny_of("llama"), FUSED), 40)


def test_a_difference_that_only_long_prompts_show_is_found() -> None:
    def long_only(model: PreTrainedModel) -> PreTrainedModel:
        model.config.index_topk = 50

        def more(_module: nn.Module, _given: Any, output: Any) -> Any:
            changed = output.shape[1] > 50 and model.config._attn_implementation == FUSED
            return output * 1.01 if changed else output

        model.model.layers[0].mlp.register_forward_hook(more)
        return model

    look(long_only(tiny_of("llama")), 50)
    with pytest.raises(ValueError, match="after 58 tokens"):
        look(long_only(tiny_of("llama")), 100)


def test_a_model_whose_answer_depends_on_its_cache_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from tokenrank.capture.cache import reserved_cache

    def forgetful(config: Any, capacity: int) -> Any:
        cache = reserved_cache(config, capacity)
        layer: Any = cache.layers[0]
        update = layer.update

        def later_keys_halved(keys: Tensor, values: Tensor, *rest: Any, **named: Any) -> Any:
            return update(keys * 0.5 if layer.get_seq_length() else keys, values, *rest, **named)

        layer.update = later_keys_halved
        return cache

    look(tiny_of("llama"), 40)
    model = tiny_of("llama")
    model_layers(model)
    monkeypatch.setattr("tokenrank.capture.looking.reserved_cache", forgetful)
    with pytest.raises(ValueError, match="LlamaForCausalLM answers differently with a cache that holds every token"):
        look(model, 40)


def test_attention_beyond_the_known_rules_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An eager function that does something of its own, with an ordinary mask and no argument that would tell."""
    model = tiny_of("llama", "eager")
    look(tiny_of("llama", "eager"), 40)
    from transformers.models.llama import modeling_llama

    own = modeling_llama.eager_attention_forward

    def sharper(module: Any, query: Any, *rest: Any, **named: Any) -> Any:
        return own(module, query * 1.1, *rest, **named)

    monkeypatch.setattr(modeling_llama, "eager_attention_forward", sharper)
    with pytest.raises(ValueError, match="attention in layer 0 of LlamaForCausalLM is more than"):
        look(model, 40)


def test_a_learned_bias_is_refused() -> None:
    with pytest.raises(ValueError, match="DogeForCausalLM gives its attention function a mask that is more than"):
        look(odd_model("doge"), 40)


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_the_model_is_left_as_it_was(implementation: str) -> None:
    model = tiny_of("gemma3", implementation)
    layers = model_layers(model)
    before = model.config._attn_implementation
    look(model, 40)
    assert model.config._attn_implementation == before
    assert model_layers(model) is layers
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_passes(dtype: torch.dtype) -> None:
    for architecture in ("gemma3", "gpt_oss"):
        model = tiny_of(architecture)
        nn.Module.to(model, dtype)
        look(model, 40)


def test_numbers_that_are_not_finite_are_left_to_the_reading() -> None:
    model = tiny_of("llama")
    with torch.no_grad():
        model.lm_head.weight[0] = torch.nan
    look(model, 40)


def test_a_composite_model_is_looked_at_though_its_parts_for_sound_have_eager_attention_only() -> None:
    model = tiny_model("gemma4")
    assert model.config.audio_config is not None
    look(model, 40)
