"""nDCG@k: is what mattered most also ranked first?"""

import torch
from torch import Tensor

from tokenrank.metrics.ranking import Ranking, gains


def ndcg_at_k(ranking: Ranking, oracle: Ranking, k: int) -> Tensor:
    """Discounted importance of the ranking's ``k`` best tokens, over that of the best possible ranking.

    The token at place i = 1, 2, ... counts its oracle value / log2(i + 1).

    Args:
        ranking: (rows, tokens); only the order is used.
        oracle: (rows, tokens) or (1, tokens), not negative, with a positive sum.
        k: places that count, 1 <= k <= tokens.

    Returns:
        (rows,) float64 in [0, 1]. For a random ranking see ``ndcg_chance``.

    Source: Jarvelin and Kekalainen 2002, https://doi.org/10.1145/582415.582418.

    >>> ndcg_at_k(Ranking(torch.tensor([[2.0, 1.0]])), Ranking(torch.tensor([[0.0, 1.0]])), k=2)
    tensor([0.6309], dtype=torch.float64)
    """
    return gains(ranking, oracle, k) @ _discounts(k) / _ideal(oracle, k)


def ndcg_chance(oracle: Ranking, k: int) -> float:
    """What a random ranking scores in expectation: every place then holds the mean importance; mean over rows."""
    expected = oracle.scores.double().mean(dim=1) * _discounts(k).sum()
    return float((expected / _ideal(oracle, k)).mean())


def _discounts(k: int) -> Tensor:
    return 1 / torch.log2(torch.arange(2, k + 2, dtype=torch.float64))  # (k,)


def _ideal(oracle: Ranking, k: int) -> Tensor:
    return gains(oracle, oracle, k) @ _discounts(k)  # (rows,)
