"""Spearman correlation: do ranking and oracle order all tokens alike?"""

from torch import Tensor

from tokenrank.metrics.ranking import Ranking, check_same_tokens


def spearman(ranking: Ranking, oracle: Ranking) -> Tensor:
    """Correlation of the ranks, tied tokens at their average rank.

    Args:
        ranking: (rows, tokens).
        oracle: (rows, tokens) or (1, tokens).

    Returns:
        (rows,) float64 in [-1, 1]; chance is 0. A row whose scores are all equal orders nothing and gets 0.

    >>> import torch
    >>> spearman(Ranking(torch.tensor([[1.0, 2.0, 3.0]])), Ranking(torch.tensor([[0.1, 0.3, 0.2]])))
    tensor([0.5000], dtype=torch.float64)
    """
    check_same_tokens(ranking, oracle)
    return (ranking.standard_ranks * oracle.standard_ranks).sum(dim=1).clamp(-1, 1)
