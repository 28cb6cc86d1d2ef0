"""Which tokens a ranking keeps: one rule for hidden states, caches and prompts."""

from collections.abc import Sequence

import torch
from torch import Tensor


def best_and_protected(scores: Tensor, kept: int, protected: Tensor) -> Tensor:
    """All ``protected`` tokens, and of the others those with the highest scores, in the prompt's order. Of equal scores the earlier wins.

    Args:
        scores: (..., tokens), higher = keep; those of protected tokens are not read. NaNs are not checked here; call ``refuse_nan``.
        kept: tokens kept in all, more than are protected and at most all.
        protected: (protected,) int64 places, ascending and each once; may be empty, and on any device.

    Returns:
        (..., kept) int64 places, ascending.

    Raises:
        ValueError: ``kept`` is out of range.

    >>> best_and_protected(torch.tensor([0.1, 0.9, 0.2, 0.9, 0.0]), kept=3, protected=torch.tensor([0, 4]))
    tensor([0, 1, 4])
    """
    tokens, always = scores.shape[-1], len(protected)
    if not always < kept <= tokens:
        raise ValueError(
            f"kept is {kept}, must be above the {always} protected tokens and at most the prompt's {tokens} tokens"
        )
    protected = protected.to(scores.device)
    others = _marked(protected, tokens).argsort(stable=True)[
        : tokens - always
    ]  # ascending; nonzero() would wait for a GPU
    best = scores[..., others].argsort(dim=-1, descending=True, stable=True)[..., : kept - always]
    return torch.cat([others[best], protected.expand(*scores.shape[:-1], always)], dim=-1).sort(dim=-1).values


def refuse_count(scores: Tensor, tokens: int) -> None:
    """Raises ValueError unless there is a score for each of the prompt's ``tokens``."""
    if scores.shape[-1] != tokens:
        raise ValueError(f"there are {scores.shape[-1]} scores for the prompt's {tokens} tokens, must be as many")


def _marked(protected: Tensor, tokens: int) -> Tensor:
    """(tokens,) uint8, 1 for a protected token."""
    return torch.zeros(tokens, dtype=torch.uint8, device=protected.device).index_fill(0, protected, 1)


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


def refuse_nan(scores: Sequence[Tensor], protected: Tensor) -> None:
    """Raises ValueError if the score of a token that is not protected is NaN; on a GPU this waits once, for all scores together.

    Args:
        scores: (..., tokens) each, on any devices.
        protected: (protected,) int64 places whose scores are not read, on any device.
    """
    bad = [each.isnan().index_fill(-1, protected.to(each.device), False).any() for each in scores]
    if bad and torch.stack([each.to(bad[0].device) for each in bad]).any().item():
        raise ValueError("a score is NaN, so the tokens cannot be ordered")
