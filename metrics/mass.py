"""Oracle mass captured@k: how much of what mattered do the kept tokens hold?"""

from torch import Tensor

from tokenrank.metrics.ranking import Ranking, gains


def mass_at_k(ranking: Ranking, oracle: Ranking, k: int) -> Tensor:
    """Share of the oracle's total importance that lies on the ranking's ``k`` best tokens.

    Unlike recall it forgives a swap of two tokens that mattered equally.

    Args:
        ranking: (rows, tokens); only the order is used.
        oracle: (rows, tokens) or (1, tokens), not negative, with a positive sum.
        k: tokens kept, 1 <= k <= tokens.

    Returns:
        (rows,) float64 in [0, 1]. A random ranking scores k / tokens in expectation.

    >>> import torch
    >>> mass_at_k(Ranking(torch.tensor([[3.0, 2.0, 1.0]])), Ranking(torch.tensor([[0.5, 0.0, 1.5]])), k=1)
    tensor([0.2500], dtype=torch.float64)
    """
    return gains(ranking, oracle, k).sum(dim=1) / oracle.scores.double().sum(dim=1)
