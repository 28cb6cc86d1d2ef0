"""Largest difference between captured attention and the model's own, for tests and for docs/architectures.md."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicCache

from tokenrank.capture.layer import AttentionLayer


@torch.inference_mode()
def own_attention(eager: PreTrainedModel, ids: Tensor) -> list[Tensor]:
    """The model's own attention weights, by ``output_attentions``.

    Args:
        eager: a model loaded with eager attention; the fused function returns no weights.
        ids: (tokens,) int64.

    Returns:
        (heads, tokens, tokens) for each attention layer, in order.
    """
    output = eager(input_ids=ids[None], output_attentions=True)
    rows = [each[0] for each in output.attentions if each is not None]
    return with_sinks(eager, ids, rows)


@torch.inference_mode()
def with_sinks(eager: PreTrainedModel, ids: Tensor, rows: list[Tensor], *, one_by_one: int = 0) -> list[Tensor]:
    """Attention weights with the sink's share taken out, for models that scale the layer's output instead (granite_swa).

    What a sink leaves of a query's attention is what the layer gives where all values are 1: each such layer is run so.

    Args:
        eager: a model with eager attention; untouched afterwards.
        ids: (tokens,) int64.
        rows: (heads, queries, keys) of each layer; the queries are the last ones of ids.
        one_by_one: so many of the last tokens are decoded, as an answer is; the others are read in one pass.

    Returns:
        The rows; those of a layer with ``sinks``, whose weights all sum to 1, times what its sink leaves.
    """
    layers = [module for module in eager.modules() if hasattr(module, "sinks") and hasattr(module, "v_proj")]
    if len(layers) != len(rows) or not all(torch.allclose(each.sum(-1), torch.ones(())) for each in rows):
        return rows
    splits = tuple(range(len(ids) - one_by_one, len(ids)))
    return [
        each * _left(eager, layer, ids.tensor_split(splits), each) for layer, each in zip(layers, rows, strict=True)
    ]


def _left(eager: PreTrainedModel, layer: Any, passes: Sequence[Tensor], rows: Tensor) -> Tensor:
    """(heads, queries, 1) in [0, 1]: what a layer's sink leaves of the attention of the last queries."""
    outputs: list[Tensor] = []
    handles = [
        layer.v_proj.register_forward_hook(lambda _module, _given, values: torch.ones_like(values)),
        layer.o_proj.register_forward_pre_hook(lambda _module, given: outputs.append(given[0][0])),
    ]
    cache = DynamicCache()
    try:
        eager(input_ids=passes[0][None, :1])  # dynamic rotary frequencies start anew
        outputs.clear()
        for ids in passes:
            eager(input_ids=ids[None], past_key_values=cache, use_cache=True)
    finally:
        for handle in handles:
            handle.remove()
    heads, queries = rows.shape[:2]
    left = torch.cat(outputs)[-queries:].view(queries, heads, -1)  # the same for each number of a head's output
    return left[..., 0].T[..., None]


def over_prompt(rows: Tensor, tokens: int, *, has_sink: bool) -> Tensor:
    """Attention over the prompt's keys alone, from attention over the keys of prompt and answer.

    Args:
        rows: (heads, queries, prompt and answer tokens), each summing to 1 with the sink's share, if there is one.
        tokens: of the prompt.
        has_sink: the layer has a sink, whose share is not given to the prompt.

    Returns:
        (heads, queries, tokens); 0 where a query sees no token of the prompt.
    """
    prompt, answer = rows[..., :tokens], rows[..., tokens:]
    left = 1 - answer.sum(-1, keepdim=True) if has_sink else prompt.sum(-1, keepdim=True)
    return torch.where(left > 0, prompt / left, 0)


@torch.inference_mode()
def furthest(layer: AttentionLayer, truth: Tensor) -> float:
    """Largest absolute difference between the attention of all of a layer's queries and ``truth``, (heads, queries, tokens)."""
    return float((layer.attention_block(0, layer.queries.shape[1]) - truth).abs().max())


def answer_truth(eager: PreTrainedModel, ids: Tensor, answer: Tensor, layers: Sequence[AttentionLayer]) -> list[Tensor]:
    """Eager attention of the queries that predicted an answer.

    Args:
        eager: a model loaded with eager attention.
        ids: (tokens,) int64, the prompt.
        answer: (answer tokens,) int64.
        layers: as captured; they say which layers have a sink.

    Returns:
        (heads, answer tokens, tokens) for each layer.
    """
    whole = own_attention(eager, torch.cat([ids, answer[:-1]]))
    return [
        over_prompt(rows[:, len(ids) - 1 :], len(ids), has_sink=layer.sinks is not None)
        for layer, rows in zip(layers, whole, strict=True)
    ]
