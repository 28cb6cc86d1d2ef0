"""How far is captured attention from the model's own? What tests and docs/architectures.md are made with."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tokenrank.capture.layer import AttentionLayer


@torch.inference_mode()
def own_attention(eager: PreTrainedModel, ids: Tensor) -> list[Tensor]:
    """(heads, tokens, tokens) of each attention layer, as the model itself gives it out; it must have been loaded with eager.

    Layers of a hybrid that have no attention give none.
    """
    output = eager(input_ids=ids[None], output_attentions=True)
    return [rows[0] for rows in output.attentions if rows is not None]


def over_prompt(rows: Tensor, tokens: int, *, has_sink: bool) -> Tensor:
    """Attention over the prompt's keys alone, from attention over the keys of prompt and answer.

    Args:
        rows: (heads, queries, prompt and answer tokens), each summing to 1 with the sink's share, if there is one.
        tokens: of the prompt.
        has_sink: the layer has a sink, which keeps its share.

    Returns:
        (heads, queries, tokens); 0 where a query sees no token of the prompt.
    """
    prompt, answer = rows[..., :tokens], rows[..., tokens:]
    left = 1 - answer.sum(-1, keepdim=True) if has_sink else prompt.sum(-1, keepdim=True)
    return torch.where(left > 0, prompt / left, 0)


@torch.inference_mode()
def furthest(layer: AttentionLayer, truth: Tensor) -> float:
    """Largest difference between a layer's attention, of all its queries, and the truth, (heads, queries, tokens)."""
    return float((layer.attention_block(0, layer.queries.shape[1]) - truth).abs().max())


def answer_truth(eager: PreTrainedModel, ids: Tensor, answer: Tensor, layers: Sequence[AttentionLayer]) -> list[Tensor]:
    """What eager attention says of the queries that predicted an answer: (heads, answer tokens, tokens) a layer."""
    whole = own_attention(eager, torch.cat([ids, answer[:-1]]))
    return [
        over_prompt(rows[:, len(ids) - 1 :], len(ids), has_sink=layer.sinks is not None)
        for layer, rows in zip(layers, whole, strict=True)
    ]
