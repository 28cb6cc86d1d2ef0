"""A prefill that stops at one layer."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tokenrank.capture.captured_layer import ModuleCalls, captured_layer
from tokenrank.capture.feeding import check_one_prompt, input_device, last_logits
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.model_masks import MaskCheck
from tokenrank.capture.needs import NOTHING, Needs
from tokenrank.capture.rules import AttentionRules


class _Stop(Exception):
    """Ends a forward pass at the layer that was asked for."""


@torch.inference_mode()
def read_up_to(
    model: PreTrainedModel,
    input_ids: Tensor,
    last: int,
    visit: Callable[[AttentionLayer], None],
    needs: Needs = NOTHING,
) -> None:
    """Runs the prompt through the model up to the queries and keys of layer ``last``; nothing is cached.

    Args:
        model: a decoder of transformers.
        input_ids: (tokens,) int64.
        last: number of an attention layer.
        visit: called with each attention layer up to that one, in order.
        needs: what ``visit`` reads of a layer beyond queries and keys.

    Raises:
        ValueError: an empty prompt or several at once, the model has no such attention layer, or cannot be captured (see ``watch``).
    """
    model_layers(model)
    check_one_prompt(input_ids)
    device = input_device(model)
    ids, calls, masks = input_ids.to(device), ModuleCalls(), MaskCheck(model)

    def seen(module: nn.Module, query: Tensor, key: Tensor, value: Tensor, rules: AttentionRules) -> None:
        layer = captured_layer(ids, module, query, key, value, rules, needs=needs, call=calls.take(module, value))
        masks.add(layer.index, query, key, rules)
        visit(layer)
        if layer.index == last:
            raise _Stop

    try:
        with calls.recorded(model, needs):
            last_logits(model, ids, torch.arange(len(ids), device=device), None, on_attention=seen)
    except _Stop:
        return masks.finish()
    raise ValueError(f"{type(model).__name__} has no attention layer {last}")
