"""Jaccard overlap of the tokens that different layers rank best."""

import numpy as np
import torch
from scipy.stats import hypergeom
from torch import Tensor

from tokenrank.metrics.ranked_tokens import Ranking, check_k


def jaccard_between_rows(ranking: Ranking, k: int) -> Tensor:
    """Jaccard index of the ``k`` best tokens, |A and B| / |A or B|, for every pair of layers of one ranking.

    It needs no truth: it measures stability over layers, not whether the kept tokens are the important ones.

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
    both = (kept @ kept.T).double()  # counts, exact in float32 below 2^24 tokens
    return both / (2 * k - both)


def neighbour_jaccard_at_k(ranking: Ranking, k: int) -> Tensor:
    """Jaccard overlap of the ``k`` best tokens of each layer with those of the layer before.

    Args:
        ranking: (layers, tokens), as for ``jaccard_between_rows``.
        k: tokens kept, 1 <= k <= tokens.

    Returns:
        (layers - 1,) float64 in [0, 1], for the second layer on; the first has no layer before it.

    Raises:
        ValueError: k out of range.

    >>> neighbour_jaccard_at_k(Ranking(torch.tensor([[3.0, 2.0, 1.0], [3.0, 1.0, 2.0]])), k=2)
    tensor([0.3333], dtype=torch.float64)
    """
    check_k(ranking, k)
    kept = torch.zeros(ranking.scores.shape, dtype=torch.bool).scatter_(1, ranking.order[:, :k], True)
    both = (kept[1:] & kept[:-1]).sum(dim=1).double()
    return both / (2 * k - both)


def jaccard_chance(truth: Ranking, k: int) -> float:
    """Expected Jaccard index of two random sets of ``k`` of the N tokens, exact: their intersection is hypergeometric.

    It is close to k / (2 N - k), the index at the expected size of the intersection, k^2 / N.
    """
    check_k(truth, k)
    both = np.arange(max(0, 2 * k - truth.tokens), k + 1)
    return float((hypergeom.pmf(both, truth.tokens, k, k) * both / (2 * k - both)).sum())
