"""Finds the attention layers of a model by running one token through it, with or without weights."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tokenrank.capture.attention import watch
from tokenrank.capture.cache import reserved_cache
from tokenrank.capture.feeding import input_device, last_logits
from tokenrank.capture.model_layers import ModelLayers

META_EXPERTS = "batched_mm"  # the experts of a mixture as plain matrix products, which need no numbers


@torch.inference_mode()
def model_layers(model: PreTrainedModel) -> ModelLayers:
    """Which layers of a model have attention, and their sliding windows.

    Args:
        model: a decoder of transformers, loaded or built without weights on the meta device
            (``with torch.device("meta"): AutoModelForCausalLM.from_config(config)``). As ``watch`` it sets the attention
            implementation in ``model.config``, which ``from_config`` shares with its caller: build from a copy if that matters.

    Raises:
        ValueError: the model cannot be captured (see ``watch``), no attention layer was seen, or the model has no weights and
            its forward pass needs them: load it and ask again.
    """
    watch(model)
    windows: dict[int, int | None] = {}

    def seen(module: nn.Module, _query: Tensor, _key: Tensor, _value: Tensor, rules: dict[str, Any]) -> None:
        windows[int(module.layer_idx)] = rules.get("sliding_window")  # type: ignore[arg-type]

    token = torch.zeros(1, dtype=torch.int64, device=input_device(model))
    with _without_numbers(model) if token.is_meta else nullcontext():
        last_logits(model, token, token, reserved_cache(model.config, capacity=1), on_attention=seen)
    if not windows:
        raise ValueError(f"no attention layer of {type(model).__name__} was captured")
    return ModelLayers(
        total=model.config.get_text_config(decoder=True).num_hidden_layers,
        attention=tuple(sorted(windows)),
        windows={layer: window for layer, window in sorted(windows.items()) if window is not None},
    )


@contextmanager
def _without_numbers(model: PreTrainedModel) -> Iterator[None]:
    """Within the block, a model on the meta device can run: its experts are called in a way that reads no number."""
    experts, mixture = model.config._experts_implementation, model._can_set_experts_implementation()
    if mixture:
        model.set_experts_implementation(META_EXPERTS)
    try:
        yield
    except Exception as error:
        raise ValueError(
            f"{type(model).__name__} cannot be inspected without weights ({type(error).__name__}: {error}): load it first"
        ) from error
    finally:
        if mixture:
            model.set_experts_implementation(experts)
