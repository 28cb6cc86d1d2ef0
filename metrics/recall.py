"""Recall@k: the share of the most important tokens that the ranking keeps."""

import torch
from torch import Tensor

from tokenrank.metrics.ranked_tokens import Ranking, check_same_tokens


def recall_at_k(ranking: Ranking, truth: Ranking, k: int) -> Tensor:
    """Fraction of the truth's ``k`` best tokens that are among the ranking's ``k`` best.

    Args:
        ranking: (rows, tokens); only the order is used.
        truth: (rows, tokens), or (1, tokens) for all rows.
        k: tokens kept, 1 <= k <= tokens.

    Returns:
        (rows,) float64 in [0, 1]. A random ranking scores k / tokens in expectation.

    Raises:
        ValueError: as for ``check_same_tokens``.

    >>> recall_at_k(Ranking(torch.tensor([[-1.0, -2.0, -3.0]])), Ranking(torch.tensor([[0.9, 0.1, 0.5]])), k=2)
    tensor([0.5000], dtype=torch.float64)
    """
    check_same_tokens(ranking, truth, k)
    wanted = torch.zeros(truth.scores.shape, dtype=torch.bool).scatter_(1, truth.order[:, :k], True)
    found = wanted.expand(ranking.scores.shape).gather(1, ranking.order[:, :k])
    return found.double().mean(dim=1)
