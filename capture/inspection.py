"""Finds the attention layers of a model and their windows by running one token through it, with or without weights."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx.experimental import _config as meta_settings
from torch.overrides import TorchFunctionMode
from transformers import PreTrainedModel

from tokenrank.capture.attention import watch
from tokenrank.capture.cache import reserved_cache
from tokenrank.capture.feeding import input_device, last_logits
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.capture.model_masks import noting_masks
from tokenrank.capture.rules import WINDOW, AttentionRules

KNOWN = "tokenrank_layers"  # attribute of a model that was inspected: its ModelLayers
META_EXPERTS = "batched_mm"  # the experts of a mixture as plain matrix products, which need no numbers
UNREAD: dict[Any, Any] = {Tensor.item: 0, Tensor.__bool__: False, Tensor.__contains__: False}


def model_layers(model: PreTrainedModel) -> ModelLayers:
    """Which layers of a model have attention, and their sliding windows; the model is ready for capture afterwards.

    One token is run through the model the first time; later calls give what was found then. A window that exists in a layer's mask
    alone is written to its attention module, where ``rules_of`` reads it.

    Args:
        model: a decoder of transformers, loaded or built without weights on the meta device
            (``with torch.device("meta"): AutoModelForCausalLM.from_config(config)``). As ``watch`` it sets the attention
            implementation in ``model.config``, which ``from_config`` shares with its caller: build from a copy if that matters.

    Raises:
        ValueError: the model cannot be captured (see ``watch``), no attention layer was seen, a layer calls attention more than
            once, its mask is more than causality and a sliding window, or the model has no weights and its forward pass needs
            them: load it and ask again.
    """
    watch(model)
    known = getattr(model, KNOWN, None)
    if not isinstance(known, ModelLayers):
        known = _inspected(model)
        setattr(model, KNOWN, known)
    return known


@torch.inference_mode()
def _inspected(model: PreTrainedModel) -> ModelLayers:
    name = type(model).__name__
    calls: dict[int, int] = {}
    windows: dict[int, int] = {}

    def seen(module: nn.Module, _query: Tensor, _key: Tensor, _value: Tensor, rules: AttentionRules) -> None:
        layer = int(module.layer_idx)  # type: ignore[arg-type]
        calls[layer] = calls.get(layer, 0) + 1
        made = next((each for each in masks if each.is_of(rules.mask)), None)
        if made is not None and not made.is_causal_and_windowed():
            raise ValueError(
                f"layer {layer} of {name} has a mask that is more than causality and a sliding window, "
                "so attention cannot be computed from queries and keys alone"
            )
        window = rules.sliding_window if made is None else made.window
        setattr(module, WINDOW, window)
        if window is not None:
            windows[layer] = window

    token = torch.zeros(1, dtype=torch.int64, device=input_device(model))
    with noting_masks() as masks, _runnable(model, without_weights=token.is_meta):
        last_logits(model, token, token, reserved_cache(model.config, capacity=1), on_attention=seen)
    if not calls:
        raise ValueError(f"no attention layer of {name} was captured")
    often = [layer for layer, times in sorted(calls.items()) if times > 1]
    if often:
        raise ValueError(
            f"{name} calls attention {calls[often[0]]} times under the layer number {often[0]}, "
            "and only layers with one call each can be ranked"
        )
    return ModelLayers(
        total=model.config.get_text_config(decoder=True).num_hidden_layers,
        attention=tuple(sorted(calls)),
        windows=dict(sorted(windows.items())),
    )


class _Unread(TorchFunctionMode):
    """Within the block a number that is read of a tensor without numbers is 0: models look for padding, or for the longest position."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function in UNREAD and args[0].is_meta:
            return UNREAD[function]
        if function is Tensor.__getitem__ and isinstance(args[1], Tensor) and args[1].is_meta and not args[1].dim():
            args = args[0], 0
        return function(*args, **(kwargs or {}))


@contextmanager
def _runnable(model: PreTrainedModel, *, without_weights: bool) -> Iterator[None]:
    """Within the block a model on the meta device can run: its experts are called in a way that reads no number, and what is read is 0.

    Raises:
        ValueError: the forward pass fails in the block, for whatever reason.
    """
    mixture = without_weights and model._can_set_experts_implementation()
    experts = model.config._experts_implementation
    if mixture:
        model.set_experts_implementation(META_EXPERTS)
    try:
        with _Unread() if without_weights else nullcontext(), meta_settings.patch(meta_nonzero_assume_all_nonzero=without_weights):
            yield
    except ValueError:  # a sentence already
        raise
    except Exception as error:
        how, advice = ("inspected without weights", ": load it first") if without_weights else ("run on one token", "")
        raise ValueError(f"{type(model).__name__} cannot be {how} ({type(error).__name__}: {error}){advice}") from error
    finally:
        if mixture:
            model.set_experts_implementation(experts)
