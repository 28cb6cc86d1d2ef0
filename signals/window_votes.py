"""Attention from the last queries of the prompt (the observation window) to the tokens before them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from tokenrank.capture.layer import AttentionLayer


def window_votes(layer: AttentionLayer, window: int) -> Tensor:
    """Attention of the last ``window`` queries, summed over them, to the tokens before the window.

    Args:
        layer: one layer of a prompt that is longer than ``window``.
        window: number of queries at the end of the prompt.

    Returns:
        (heads, tokens - window), each in [0, window].

    Raises:
        ValueError: the prompt is not longer than the window.
    """
    if layer.tokens <= window:
        raise ValueError(f"window is {window}, must be below the prompt's {layer.tokens} tokens")
    return layer.attention(window)[:, :, : layer.tokens - window].sum(dim=1)


def keep_window(scores: Tensor, window: int) -> Tensor:
    """Appends the window's own tokens, which are always kept: each gets the maximum of its row.

    Args:
        scores: (..., tokens - window).
        window: number of tokens at the end of the prompt.

    Returns:
        (..., tokens).

    >>> keep_window(torch.tensor([0.1, 0.7, 0.2]), 2)
    tensor([0.1000, 0.7000, 0.2000, 0.7000, 0.7000])
    """
    highest = scores.amax(dim=-1, keepdim=True)
    return torch.cat([scores, highest.expand(*scores.shape[:-1], window)], dim=-1)


def keep_places(scores: Tensor, places: Sequence[int]) -> Tensor:
    """Gives the tokens that are always kept the maximum of the others, or of all if there are no others.

    Args:
        scores: (tokens,).
        places: numbers of the tokens that are always kept.

    Returns:
        (tokens,), a copy.

    >>> keep_places(torch.tensor([0.9, 0.1, 0.7, 0.2]), [0, 3])
    tensor([0.7000, 0.1000, 0.7000, 0.7000])
    """
    kept = torch.zeros_like(scores, dtype=torch.bool)
    kept[list(places)] = True
    highest = scores.amax() if len(set(places)) == len(scores) else scores.masked_fill(kept, -torch.inf).amax()
    return torch.where(kept, highest, scores)


def by_key_head(votes: Tensor, kv_heads: int) -> Tensor:
    """Groups query heads by the key head that they share: (heads, tokens) -> (kv_heads, heads per group, tokens)."""
    return votes.view(kv_heads, -1, votes.shape[-1])
