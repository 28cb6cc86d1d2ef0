"""Jaccard overlap of layers: does a ranking keep the same tokens wherever it is made?"""

import numpy as np
import torch
from scipy.stats import hypergeom
from torch import Tensor

from tokenrank.metrics.ranking import Ranking, check_k


def jaccard_between_rows(ranking: Ranking, k: int) -> Tensor:
    """Of the tokens that either of two layers keeps, the share that both keep; for every two layers of one ranking.

    It needs no oracle: it tells steadiness, not whether the kept tokens are the right ones.

    Args:
        ranking: (layers, tokens); only the order is used.
        k: tokens kept, 1 <= k <= tokens.

    Returns:
        (layers, layers) float64 in [0, 1], symmetric, 1 on the diagonal. For random rankings see ``jaccard_chance``.

    Raises:
        ValueError: k out of range.

    Source: Jaccard 1912, https://doi.org/10.1111/j.1469-8137.1912.tb05611.x.

    >>> jaccard_between_rows(Ranking(torch.tensor([[3.0, 2.0, 1.0], [3.0, 1.0, 2.0]])), k=2)
    tensor([[1.0000, 0.3333],
            [0.3333, 1.0000]], dtype=torch.float64)
    """
    check_k(ranking, k)
    kept = torch.zeros(ranking.scores.shape).scatter_(1, ranking.order[:, :k], 1.0)
    both = (kept @ kept.T).double()  # whole numbers, exact in float32 below 2^24 tokens
    return both / (2 * k - both)


def neighbour_jaccard_at_k(ranking: Ranking, k: int) -> Tensor:
    """Jaccard overlap of the ``k`` best tokens of each layer with those of the layer before.

    Args:
        ranking: (layers, tokens), as for ``jaccard_between_rows``.
        k: tokens kept, 1 <= k <= tokens.

    Returns:
        (layers - 1,) float64 in [0, 1], from the second layer on: the first has none before it.

    Raises:
        ValueError: k out of range.

    >>> neighbour_jaccard_at_k(Ranking(torch.tensor([[3.0, 2.0, 1.0], [3.0, 1.0, 2.0]])), k=2)
    tensor([0.3333], dtype=torch.float64)
    """
    check_k(ranking, k)
    kept = torch.zeros(ranking.scores.shape, dtype=torch.bool).scatter_(1, ranking.order[:, :k], True)
    both = (kept[1:] & kept[:-1]).sum(dim=1).double()
    return both / (2 * k - both)


def jaccard_chance(oracle: Ranking, k: int) -> float:
    """Expected overlap of two random sets of ``k`` of the tokens, exactly: the shared ones are hypergeometric.

    Near k / (2 N - k), which takes the expected number of shared tokens, k^2 / N, for the number itself.
    """
    check_k(oracle, k)
    both = np.arange(max(0, 2 * k - oracle.tokens), k + 1)
    return float((hypergeom.pmf(both, oracle.tokens, k, k) * both / (2 * k - both)).sum())
