"""Recall@k: are the tokens that mattered among those that the ranking would keep?"""

import torch
from torch import Tensor

from tokenrank.metrics.ranking import Ranking, check_same_tokens


def recall_at_k(ranking: Ranking, oracle: Ranking, k: int) -> Tensor:
    """Fraction of the oracle's ``k`` best tokens found among the ranking's ``k`` best.

    Args:
        ranking: (rows, tokens); only the order is used.
        oracle: (rows, tokens), or (1, tokens) to be held against every row.
        k: tokens kept, 1 <= k <= tokens.

    Returns:
        (rows,) float64 in [0, 1]. A random ranking scores k / tokens in expectation.

    >>> recall_at_k(Ranking(torch.tensor([[-1.0, -2.0, -3.0]])), Ranking(torch.tensor([[0.9, 0.1, 0.5]])), k=2)
    tensor([0.5000], dtype=torch.float64)
    """
    check_same_tokens(ranking, oracle, k)
    wanted = torch.zeros(oracle.scores.shape, dtype=torch.bool).scatter_(1, oracle.order[:, :k], True)
    found = wanted.expand(ranking.scores.shape).gather(1, ranking.order[:, :k])
    return found.double().mean(dim=1)
