"""Reads a prompt as far as one layer and no further."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tokenrank.capture.attention import watch
from tokenrank.capture.feeding import input_device, last_logits
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.seeing import Calls, layer_seen


class _Enough(Exception):
    """Ends a forward pass that has shown what was wanted."""


@torch.inference_mode()
def read_up_to(
    model: PreTrainedModel,
    input_ids: Tensor,
    last: int,
    visit: Callable[[AttentionLayer], None],
    *,
    shared_rows: int = 0,
    with_calls: bool = False,
) -> None:
    """Reads a prompt as far as the queries and keys of layer ``last`` and no further, and keeps nothing.

    Args:
        model: a decoder of transformers.
        input_ids: (tokens,) int64.
        last: number of an attention layer.
        visit: called with each attention layer up to that one.
        shared_rows: rows of window attention that several readers will ask for (see AttentionLayer).
        with_calls: the layers come with the call of the model's module that they were seen in.

    Raises:
        ValueError: the model has no such attention layer.
    """
    watch(model)
    device = input_device(model)
    ids, calls, rows = input_ids.to(device), Calls(), min(shared_rows, len(input_ids))

    def seen(module: nn.Module, query: Tensor, key: Tensor, value: Tensor, rules: dict[str, Any]) -> None:
        layer = layer_seen(ids, module, query, key, rules, calls.of(module, value), rows)
        visit(layer)
        if layer.index == last:
            raise _Enough

    try:
        with calls.noted(model) if with_calls else nullcontext():
            last_logits(model, ids, torch.arange(len(ids), device=device), None, on_attention=seen)
    except _Enough:
        return
    raise ValueError(f"{type(model).__name__} has no attention layer {last}")
