"""Pooling over neighbouring tokens, so that what is kept comes in pieces that can be read."""

from torch import Tensor
from torch.nn.functional import avg_pool1d, max_pool1d

from tokenrank.heuristics.heuristic import check_choice


def smooth(scores: Tensor, kernel: int, pool: str = "average") -> Tensor:
    """Each token's score becomes the average (or maximum) over the ``kernel`` tokens around it; the length stays.

    Beyond both ends the average counts zeros, as the authors' code does, and the maximum counts nothing.

    Args:
        scores: (..., tokens), at most one leading axis.
        kernel: tokens, odd.
        pool: ``average`` or ``max``.

    Raises:
        ValueError: an even kernel, one below 1, or another pool.

    >>> import torch
    >>> smooth(torch.tensor([0.0, 3.0, 0.0, 0.0]), 3)
    tensor([1., 1., 1., 0.])
    """
    check_kernel(kernel)
    check_choice("pool", pool, ("average", "max"))
    rows = scores if scores.dim() > 1 else scores[None]
    pooled = (max_pool1d if pool == "max" else avg_pool1d)(rows, kernel, stride=1, padding=kernel // 2)
    return pooled.view(scores.shape)


def check_kernel(kernel: int) -> None:
    """Raises ValueError unless ``kernel`` is odd and at least 1: only then does a token have as many neighbours on both sides."""
    if kernel < 1 or kernel % 2 == 0:
        raise ValueError(f"kernel is {kernel}, must be odd and at least 1 token")
