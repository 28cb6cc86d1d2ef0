"""Attention from the queries of an answer to the tokens of the prompt; shared by the oracle and speculative prefill."""

from collections.abc import Sequence

import torch
from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.signals.smoothing import smooth

BLOCK = 2**22  # attention values held at a time (16 MiB), or as many as one layer has key values, if that is more


@torch.inference_mode()
def look_back(
    layers: Sequence[AttentionLayer], heads: str = "max", over_layers: str = "max", kernel: int = 1
) -> Tensor:
    """Attention to the prompt, reduced over heads, then over layers, then averaged over the answer's queries.

    Memory: one block of one layer's attention at a time, whatever the number of layers and answer tokens.

    Args:
        layers: each with one query per answer token, (heads, answer tokens, dim), and the prompt's keys.
        heads: reduction over heads, ``max`` or ``mean``.
        over_layers: reduction over layers, ``max`` or ``mean``; ``each`` for none.
        kernel: tokens, odd; the attention of each head is averaged over so many neighbouring tokens before it is reduced.
            1: not smoothed.

    Returns:
        (1, tokens) float32 in [0, 1] on the CPU; (layers, tokens) for ``each``.

    Raises:
        ValueError: there is no layer or no query, or the kernel is even or below 1.
    """
    if not layers or layers[0].queries.shape[1] == 0:
        raise ValueError("looking back needs at least one attention layer and one query of the answer, got none")
    tokens, (query_heads, answer_tokens, _) = layers[0].tokens, layers[0].queries.shape
    rows = max(1, max(BLOCK, layers[0].keys.numel()) // (query_heads * tokens))
    total = torch.zeros(len(layers) if over_layers == "each" else 1, tokens)
    for start in range(0, answer_tokens, rows):
        stop = min(start + rows, answer_tokens)
        if over_layers == "each":
            total += torch.stack([_over_heads(layer, start, stop, heads, kernel).sum(dim=0).cpu() for layer in layers])
        else:
            total += _over_layers(layers, start, stop, heads, over_layers, kernel).sum(dim=0, keepdim=True).cpu()
    return total / answer_tokens


def _over_layers(
    layers: Sequence[AttentionLayer], start: int, stop: int, heads: str, over_layers: str, kernel: int
) -> Tensor:
    """(stop - start, tokens): attention of answer tokens ``start`` to ``stop``, reduced over heads and layers."""
    reduced = _over_heads(layers[0], start, stop, heads, kernel)
    for layer in layers[1:]:
        seen = _over_heads(layer, start, stop, heads, kernel).to(reduced.device)
        reduced = torch.maximum(reduced, seen) if over_layers == "max" else reduced + seen
    return reduced if over_layers == "max" else reduced / len(layers)


def _over_heads(layer: AttentionLayer, start: int, stop: int, heads: str, kernel: int) -> Tensor:
    attention = layer.attention_block(start, stop)  # (heads, answer tokens, tokens)
    if kernel != 1:
        attention = smooth(attention.flatten(0, 1), kernel).view(attention.shape)
    return attention.amax(dim=0) if heads == "max" else attention.mean(dim=0)
