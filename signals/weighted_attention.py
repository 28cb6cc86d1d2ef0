"""Weighted sum of the attention of many queries, computed in blocks of rows, so that no tokens x tokens matrix exists."""

import torch
from torch import Tensor

from tokenrank.capture.layer import AttentionLayer

BLOCK = 2**23  # attention values held at a time (32 MiB)


def weighted_attention(layer: AttentionLayer, weights: Tensor) -> Tensor:
    """Attention of the prompt's last queries, multiplied by a weight for each query, summed over queries, mean over heads.

    Args:
        layer: queries and keys of the whole prompt.
        weights: (rows,) float32 on the layer's device, one for each of the last ``rows`` queries.

    Returns:
        (tokens,) float32.
    """
    heads, queries, _ = layer.queries.shape
    total = torch.zeros(heads, layer.tokens, device=layer.keys.device)
    first, block = queries - len(weights), max(1, BLOCK // (heads * layer.tokens))
    for start in range(first, queries, block):
        stop = min(start + block, queries)
        attention = layer.attention_block(start, stop, trim=True)  # (heads, rows, tokens up to the last row)
        weight = weights[start - first : stop - first].expand(heads, 1, -1)
        total[:, : attention.shape[2]] += torch.bmm(weight, attention)[:, 0]
    return total.mean(dim=0)
