"""Pooling over neighbouring tokens, so that contiguous text is kept rather than single tokens."""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d, max_pool1d

from tokenrank.signals.checks import check_choice, check_kernel


def smooth(scores: Tensor, kernel: int, pool: str = "average") -> Tensor:
    """Average (or maximum) of the scores in a window of ``kernel`` tokens centred on each token; stride 1.

    Beyond both ends the average counts zeros (zero padding, as in the published code); the maximum ignores them.

    Args:
        scores: (..., tokens), at most one leading axis.
        kernel: tokens, odd.
        pool: ``average`` or ``max``.

    Returns:
        The shape of ``scores``.

    Raises:
        ValueError: the kernel is even or below 1, or the pool is unknown.

    >>> import torch
    >>> smooth(torch.tensor([0.0, 3.0, 0.0, 0.0]), 3)
    tensor([1., 1., 1., 0.])
    """
    check_kernel(kernel)
    check_choice("pool", pool, ("average", "max"))
    rows = scores if scores.dim() > 1 else scores[None]
    pooled = (max_pool1d if pool == "max" else avg_pool1d)(rows, kernel, stride=1, padding=kernel // 2)
    return pooled.view(scores.shape)


def chunk_means(scores: Tensor, chunk: int) -> Tensor:
    """Gives every token the mean score of its chunk: tokens 0 to ``chunk - 1``, then as many more, and so on.

    Args:
        scores: (tokens,).
        chunk: tokens in a chunk; the last chunk has those that are left.

    Returns:
        (tokens,).

    Raises:
        ValueError: the chunk is below 1.

    >>> chunk_means(torch.tensor([1.0, 3.0, 0.0, 4.0, 7.0]), 2)
    tensor([2., 2., 2., 2., 7.])
    """
    if chunk < 1:
        raise ValueError(f"chunk is {chunk}, must be at least 1 token")
    return torch.cat([each.mean().expand(len(each)) for each in torch.split(scores, chunk)]) if chunk > 1 else scores
