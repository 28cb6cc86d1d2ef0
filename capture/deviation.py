"""Largest difference between captured attention and the model's own, for tests and for docs/architectures.md."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

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
    return [rows[0] for rows in output.attentions if rows is not None]


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
