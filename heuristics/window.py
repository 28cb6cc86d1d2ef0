"""The signal that several methods share: how strongly the end of the prompt attends to what comes before it."""

import torch
from torch import Tensor

from tokenrank.capture.layer import AttentionLayer


def window_votes(layer: AttentionLayer, window: int) -> Tensor:
    """Attention of the last ``window`` queries, summed over them, to the tokens before the window.

    Args:
        layer: of a prompt longer than ``window``.
        window: queries at the end of the prompt.

    Returns:
        (heads, tokens - window), each in [0, window].

    Raises:
        ValueError: the prompt is not longer than the window.
    """
    if layer.tokens <= window:
        raise ValueError(f"window is {window}, must be below the prompt's {layer.tokens} tokens")
    return layer.attention(window)[:, :, : layer.tokens - window].sum(dim=1)


def keep_window(scores: Tensor, window: int) -> Tensor:
    """Scores of all tokens from those before the window: the window itself is always kept and gets the row's maximum.

    Args:
        scores: (..., tokens - window).
        window: tokens at the end of the prompt.

    Returns:
        (..., tokens).

    >>> keep_window(torch.tensor([0.1, 0.7, 0.2]), 2)
    tensor([0.1000, 0.7000, 0.2000, 0.7000, 0.7000])
    """
    highest = scores.amax(dim=-1, keepdim=True)
    return torch.cat([scores, highest.expand(*scores.shape[:-1], window)], dim=-1)


def by_key_head(votes: Tensor, kv_heads: int) -> Tensor:
    """(kv_heads, heads of each group, tokens): the query heads that share a key head, from (heads, tokens)."""
    return votes.view(kv_heads, -1, votes.shape[-1])
