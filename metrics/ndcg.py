"""nDCG@k: normalised discounted cumulative gain, with the true importance as graded gain."""

import torch
from torch import Tensor

from tokenrank.metrics.ranked_tokens import Ranking, gains


def ndcg_at_k(ranking: Ranking, truth: Ranking, k: int) -> Tensor:
    """Discounted importance of the ranking's ``k`` best tokens, divided by that of the best possible ranking.

    The token at place i = 1, 2, ... contributes its importance / log2(i + 1).

    Args:
        ranking: (rows, tokens); only the order is used.
        truth: (rows, tokens), or (1, tokens) for all rows; at least 0, with a positive sum.
        k: places that count, 1 <= k <= tokens.

    Returns:
        (rows,) float64 in [0, 1]. For a random ranking see ``ndcg_chance``.

    Raises:
        ValueError: a row of the truth has a negative value or no positive one, or as for ``check_same_tokens``.

    Source: Jarvelin and Kekalainen 2002, https://doi.org/10.1145/582415.582418.

    >>> ndcg_at_k(Ranking(torch.tensor([[2.0, 1.0]])), Ranking(torch.tensor([[0.0, 1.0]])), k=2)
    tensor([0.6309], dtype=torch.float64)
    """
    return gains(ranking, truth, k) @ _discounts(k) / _ideal(truth, k)


def ndcg_chance(truth: Ranking, k: int) -> float:
    """Expectation for a random ranking, at each of whose places the expected gain is the mean importance; mean over rows."""
    expected = truth.scores.double().mean(dim=1) * _discounts(k).sum()
    return float((expected / _ideal(truth, k)).mean())


def _discounts(k: int) -> Tensor:
    return 1 / torch.log2(torch.arange(2, k + 2, dtype=torch.float64))  # (k,)


def _ideal(truth: Ranking, k: int) -> Tensor:
    return gains(truth, truth, k) @ _discounts(k)  # (rows,)
