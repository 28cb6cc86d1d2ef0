"""Finds the attention layers of a model and their windows by running one token through it, with or without weights."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicCache, DynamicSlidingWindowLayer

from tokenrank.capture.attention import watch
from tokenrank.capture.cache import reserved_cache
from tokenrank.capture.feeding import input_device, last_logits
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.capture.model_masks import noting_masks
from tokenrank.capture.rules import WINDOW, AttentionRules, NotCaptured, layer_number
from tokenrank.capture.without_numbers import numbers_made_up

KNOWN = "tokenrank_layers"  # attribute of a model that was inspected: its settings then, and its ModelLayers
META_EXPERTS = "batched_mm"  # the experts of a mixture as plain matrix products, which need no numbers


def model_layers(model: PreTrainedModel) -> ModelLayers:
    """Which layers of a model have attention, and their sliding windows; the model is ready for capture afterwards.

    One token is run through the model the first time, and again after a change of its config or of its attention implementation;
    later calls give what was found then. A window that exists in a layer's mask alone is written to its attention module, where
    ``rules_of`` reads it.

    Args:
        model: a decoder of transformers, loaded or built without weights on the meta device
            (``with torch.device("meta"): AutoModelForCausalLM.from_config(config)``). As ``watch`` it sets the attention
            implementation in ``model.config``, which ``from_config`` shares with its caller: build from a copy if that matters.

    Raises:
        ValueError: the model is in training mode, it cannot be captured (see ``watch``), no attention layer was seen, a layer calls attention more than
            once, its mask is more than causality and a sliding window, or the model has no weights and its forward pass needs
            them: load it and ask again.
    """
    if model.training and input_device(model).type != "meta":
        raise ValueError(
            f"{type(model).__name__} is in training mode, in which dropout may change what it answers: call model.eval() first"
        )
    watch(model)
    settings = (model.config._attn_implementation, repr(model.config.to_dict()))
    known: tuple[tuple[str | None, str], ModelLayers] | None = getattr(model, KNOWN, None)
    if known is None or known[0] != settings:
        known = settings, _inspected(model)
        setattr(model, KNOWN, known)
    return known[1]


@torch.inference_mode()
def _inspected(model: PreTrainedModel) -> ModelLayers:
    name = type(model).__name__
    calls: dict[int, int] = {}
    windows: dict[int, int] = {}
    for each in model.modules():  # of an earlier inspection
        each.__dict__.pop(WINDOW, None)

    def seen(module: nn.Module, _query: Tensor, _key: Tensor, _value: Tensor, rules: AttentionRules) -> None:
        layer = layer_number(module)
        calls[layer] = calls.get(layer, 0) + 1
        made = next((each for each in masks if each.is_of(rules.mask)), None)
        if made is not None and not made.is_causal_and_windowed():
            raise NotCaptured(
                f"layer {layer} of {name} has a mask that is more than causality and a sliding window, "
                "so attention cannot be computed from queries and keys alone"
            )
        window = rules.sliding_window if made is None else made.window
        setattr(module, WINDOW, window)
        if window is not None:
            windows[layer] = window

    total = getattr(model.config.get_text_config(decoder=True), "num_hidden_layers", None)
    if type(total) is not int:
        raise NotCaptured(
            f"the config of {name} has num_hidden_layers {total!r}, must say how many decoder layers there are"
        )
    token = torch.zeros(1, dtype=torch.int64, device=input_device(model))
    with noting_masks() as masks, _runnable(model, without_weights=token.is_meta):
        last_logits(model, token, token, reserved_cache(model.config, capacity=1), on_attention=seen)
    if not calls:
        raise NotCaptured(
            f"no attention layer of {name} was captured: it has none, or computes attention outside transformers' attention interface"
        )
    often = [layer for layer, times in sorted(calls.items()) if times > 1]
    if often:
        raise NotCaptured(
            f"{name} calls attention {calls[often[0]]} times under the layer number {often[0]}, "
            "and only layers with one call each can be ranked"
        )
    _check_cache(model, sorted(set(calls) - set(windows)))
    return ModelLayers(
        total=total,
        attention=tuple(sorted(calls)),
        windows=dict(sorted(windows.items())),
    )


def _check_cache(model: PreTrainedModel, whole: Sequence[int]) -> None:
    """Raises NotCaptured if ``generate()`` would drop keys in one of these layers, whose masks hide none."""
    layers = DynamicCache(config=model.config.get_text_config(decoder=True)).layers
    dropping = [
        layer for layer in whole if layer < len(layers) and isinstance(layers[layer], DynamicSlidingWindowLayer)
    ]
    if dropping:
        raise NotCaptured(
            f"{type(model).__name__} forgets keys beyond its sliding window when it decodes, but its masks do not hide them from the "
            f"prompt (layers {', '.join(map(str, dropping))}), so an answer sees other tokens than rankings do"
        )


@contextmanager
def _runnable(model: PreTrainedModel, *, without_weights: bool) -> Iterator[None]:
    """Within the block a model on the meta device can run: its experts are called in a way that reads no number.

    Raises:
        ValueError: the forward pass fails in the block, for whatever reason.
    """
    mixture = without_weights and model._can_set_experts_implementation()
    experts = model.config._experts_implementation
    if mixture:
        model.set_experts_implementation(META_EXPERTS)
    try:
        with numbers_made_up() if without_weights else nullcontext():
            yield
    except NotCaptured:
        raise
    except Exception as error:
        how = "inspected without weights" if without_weights else "run on one token"
        advice = ": load it first" if without_weights and not isinstance(error, ValueError) else ""
        raise ValueError(f"{type(model).__name__} cannot be {how} ({type(error).__name__}: {error}){advice}") from error
    finally:
        if mixture:
            model.set_experts_implementation(experts)
