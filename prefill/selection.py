"""Which tokens a ranking keeps: the one rule for hidden states, caches and prompts."""

from collections.abc import Sequence

import torch
from torch import Tensor


def best_and_window(scores: Tensor, tokens: int, kept: int, window: int) -> Tensor:
    """The best tokens and always the last ``window``, in the order of the prompt. Of equal scores the earlier token is kept.

    Args:
        scores: (..., tokens), higher = keep; those of the window are not read. Whether they are NaN is ``refuse_nan``'s to say.
        tokens: of the prompt.
        kept: tokens that stay in all, above ``window`` and at most all.
        window: tokens at the end of the prompt that always stay.

    Returns:
        (..., kept) int64, ascending.

    Raises:
        ValueError: there is not one score a token, or ``kept`` leaves no room beside the window or is more than there are.

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


def refuse_nan(scores: Sequence[Tensor], window: int) -> None:
    """Raises ValueError if a score before the window is NaN. One look for all: on a GPU a look waits for it.

    Args:
        scores: (..., tokens) each.
        window: tokens at the end whose scores are not read.
    """
    if any(bad.item() for bad in [each[..., : each.shape[-1] - window].isnan().any() for each in scores]):
        raise ValueError("a score is NaN, so the tokens cannot be ordered")
