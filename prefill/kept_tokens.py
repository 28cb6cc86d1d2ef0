"""Which tokens a ranking keeps: one rule for hidden states, caches and prompts."""

from collections.abc import Sequence

import torch
from torch import Tensor


def best_and_window(scores: Tensor, tokens: int, kept: int, window: int) -> Tensor:
    """The tokens with the highest scores and always the last ``window``, in the prompt's order. Of equal scores the earlier wins.

    Args:
        scores: (..., tokens), higher = keep; those of the window are not read. NaNs are not checked here; call ``refuse_nan``.
        tokens: of the prompt.
        kept: tokens kept in all, above ``window`` and at most all.
        window: tokens at the end of the prompt that are always kept; 0 for none.

    Returns:
        (..., kept) int64, ascending.

    Raises:
        ValueError: the number of scores is not ``tokens``, or ``kept`` is out of range.

    >>> best_and_window(torch.tensor([0.1, 0.9, 0.2, 0.9, 0.0]), tokens=5, kept=3, window=1)
    tensor([1, 3, 4])
    """
    if scores.shape[-1] != tokens:
        raise ValueError(f"there are {scores.shape[-1]} scores for the prompt's {tokens} tokens, must be as many")
    if not window < kept <= tokens:
        raise ValueError(
            f"kept is {kept}, must be above the window of {window} and at most the prompt's {tokens} tokens"
        )
    before = scores[..., : tokens - window]
    best = before.argsort(dim=-1, descending=True, stable=True)[..., : kept - window].sort(dim=-1).values
    last = torch.arange(tokens - window, tokens, device=scores.device).expand(*scores.shape[:-1], window)
    return torch.cat([best, last], dim=-1)


def of_cached_heads(scores: Tensor, heads: int) -> Tensor:
    """Scores of the heads of a cache: the mean over the key heads that each of them serves, in consecutive groups.

    Where a cache head is one key head, as in most models, these are the scores. Latent attention (MLA) caches one head for all
    key heads, so a token can only stay for all of them or for none; the mean counts each of them alike, as the sum or mean over
    the query heads of one key head does in FastKV and SnapKV.

    Args:
        scores: (key heads, tokens).
        heads: of the cache; divide the key heads.

    Returns:
        (heads, tokens).

    Raises:
        ValueError: ``heads`` does not divide the key heads.

    >>> of_cached_heads(torch.tensor([[1.0, 0.0], [2.0, 4.0]]), heads=1)
    tensor([[1.5000, 2.0000]])
    """
    if len(scores) % heads:
        raise ValueError(
            f"there are scores of {len(scores)} key heads, must be a multiple of the {heads} that are cached"
        )
    return scores if len(scores) == heads else scores.view(heads, -1, scores.shape[1]).mean(dim=1)


def refuse_nan(scores: Sequence[Tensor], window: int) -> None:
    """Raises ValueError if a score before the window is NaN; on a GPU this waits once, for all scores together.

    Args:
        scores: (..., tokens) each, on any devices.
        window: tokens at the end whose scores are not read.
    """
    bad = [each[..., : each.shape[-1] - window].isnan().any() for each in scores]
    if bad and torch.stack([each.to(bad[0].device) for each in bad]).any().item():
        raise ValueError("a score is NaN, so the tokens cannot be ordered")
