"""The rules of one attention call: what a layer's attention is besides queries, keys and values."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

READ = ("scaling", "softcap", "sliding_window", "s_aux")  # arguments that AttentionRules holds
WITHOUT_EFFECT = ("position_ids", "use_cache", "dropout")  # arguments that neither attention function of ours reads
WINDOW = "tokenrank_window"  # attribute of an attention module: the window that its mask alone has, found by inspection


class NotCaptured(ValueError):
    """A model's attention is more than capture computes; the message is one sentence that says what."""


@dataclass(frozen=True)
class AttentionRules:
    """What decides a layer's attention, beside its queries and keys."""

    scaling: float  # q.k is multiplied by it
    softcap: float | None = None  # logits become softcap * tanh(logits / softcap)
    sliding_window: int | None = None  # a query sees the last this many positions, itself included
    sinks: Tensor | None = None  # (heads,) logits that take part in the softmax and belong to no token
    mask: Tensor | None = (
        None  # (1, heads or 1, queries, keys or more) as the model gives it: bool, or added to the logits
    )


def layer_number(module: nn.Module) -> int:
    """The number of the decoder layer that an attention module belongs to.

    Raises:
        NotCaptured: the module has none.
    """
    number = getattr(module, "layer_idx", None)
    if type(number) is not int or number < 0:
        raise NotCaptured(
            f"{type(module).__name__} has the layer number {number!r}, must be from 0 on: only attention modules of one decoder layer "
            "each can be ranked"
        )
    return number


def rules_of(module: nn.Module, mask: Tensor | None, arguments: dict[str, Any]) -> AttentionRules:
    """The rules of a call of the attention function.

    Args:
        module: the attention module.
        mask: as the model gives it.
        arguments: all others of the call, by name.

    Raises:
        NotCaptured: an argument is not known, so that its effect would be missed, or the attention is not causal.
    """
    name = type(module).__name__
    for argument, value in arguments.items():
        if value is None or value is False or argument in READ or argument in WITHOUT_EFFECT:
            continue
        if argument == "is_causal":  # true
            continue
        raise NotCaptured(
            f"{name} gives its attention function {argument}, whose effect on attention is not known here, "
            f"so its layers cannot be captured; known are {', '.join(READ)}"
        )
    if arguments.get("is_causal", getattr(module, "is_causal", True)) is False:
        raise NotCaptured(f"{name} is bidirectional (is_causal is false), and only causal attention can be captured")
    if arguments.get("scaling") is None:
        raise NotCaptured(f"{name} gives its attention function no scaling, so its layers cannot be captured")
    return AttentionRules(
        scaling=float(arguments["scaling"]),
        softcap=arguments.get("softcap"),
        sliding_window=getattr(module, WINDOW, arguments.get("sliding_window")),
        sinks=arguments.get("s_aux"),
        mask=mask,
    )
