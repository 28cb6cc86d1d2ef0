"""Which tokens a ranking keeps: the one rule for hidden states, caches and prompts."""

import torch
from torch import Tensor


def best_and_window(scores: Tensor, kept: int, window: int) -> Tensor:
    """The best tokens and always the last ``window``, in the order of the prompt. Of equal scores the earlier token is kept.

    Args:
        scores: (..., tokens), higher = keep; those of the window are not read.
        kept: tokens that stay in all, above ``window`` and at most all.
        window: tokens at the end of the prompt that always stay.

    Returns:
        (..., kept) int64, ascending.

    Raises:
        ValueError: ``kept`` leaves no room beside the window or is more than there are, or a score is NaN.

    >>> best_and_window(torch.tensor([0.1, 0.9, 0.2, 0.9, 0.0]), kept=3, window=1)
    tensor([1, 3, 4])
    """
    tokens = scores.shape[-1]
    if not window < kept <= tokens:
        raise ValueError(
            f"kept is {kept}, must be above the window of {window} and at most the prompt's {tokens} tokens"
        )
    before = scores[..., : tokens - window]
    if before.isnan().any():
        raise ValueError("a score is NaN, so the tokens cannot be ordered")
    best = before.argsort(dim=-1, descending=True, stable=True)[..., : kept - window].sort(dim=-1).values
    last = torch.arange(tokens - window, tokens, device=scores.device).expand(*scores.shape[:-1], window)
    return torch.cat([best, last], dim=-1)
