"""Tiny models of a class with the same random weights: one to be watched, and untouched copies."""

import copy
from typing import Any

import torch
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from tests.sweep.shrinking import tiny_config

MOST_PARAMETERS = 5 * 10**6
NOISE = 0.5
LONGEST = 240  # characters of an error
MODEL_TYPES: dict[str, str] = dict(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)  # model type -> class


def tiny_model(
    model_type: str, implementation: str | None = None, device: str = "cpu", **settings: Any
) -> PreTrainedModel:
    """A tiny random model, the same weights each time, whose answers do not end by themselves.

    Where the class of a composite config cannot be made, it is the class of its text config.

    Args:
        model_type: one of MODEL_TYPES.
        implementation: of attention: ``sdpa``, ``eager``, or None for what transformers would choose.
        device: ``meta`` for a model without weights.
        settings: of its text config, beyond those of the shrinker.

    Raises:
        ValueError: it cannot be made, or is not tiny.
    """
    chosen = {} if implementation is None else {"attn_implementation": implementation}
    try:
        model = _made(tiny_config(model_type, **settings), device, chosen)
    except Exception as error:  # a config can be wrong in as many ways as there are classes
        text = _text_config(model_type, settings)
        if text is None:
            raise ValueError(f"{type(error).__name__}: {' '.join(str(error).split())}"[:LONGEST]) from error
        model = _made(text, device, chosen)
    model.train(False)
    if model.generation_config is not None:
        model.generation_config.eos_token_id = None
    return model


def _text_config(model_type: str, settings: dict[str, Any]) -> PreTrainedConfig | None:
    """The text config of a composite one, if it is that of a class of its own."""
    try:
        text = tiny_config(model_type, **settings).get_text_config(decoder=True)
    except Exception:  # the config itself is what cannot be made
        return None
    return text if text.model_type != model_type and text.model_type in MODEL_TYPES else None


def _made(config: PreTrainedConfig, device: str, chosen: dict[str, str]) -> PreTrainedModel:
    with torch.device("meta"):
        skeleton: PreTrainedModel = AutoModelForCausalLM.from_config(copy.deepcopy(config), **chosen)  # type: ignore[no-untyped-call]
    parameters = sum(each.numel() for each in skeleton.parameters())
    if parameters > MOST_PARAMETERS:
        raise ValueError(f"it has {parameters} parameters, must have at most {MOST_PARAMETERS} to be tiny")
    if device == "meta":
        return skeleton
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, **chosen)  # type: ignore[no-untyped-call]
        _unequal(model)
    return model


@torch.no_grad()
def _unequal(model: PreTrainedModel) -> None:
    """Adds noise to parameters of one value only: zeros of a learned bias, of a sink or of a scale would hide it."""
    for parameter in model.parameters():
        if parameter.is_floating_point() and parameter.numel() > 1 and parameter.min() == parameter.max():
            parameter.add_(torch.randn_like(parameter), alpha=NOISE)
