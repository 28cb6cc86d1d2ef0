"""Spearman's rank correlation between ranking and truth."""

from torch import Tensor

from tokenrank.metrics.ranked_tokens import Ranking, check_same_tokens


def spearman(ranking: Ranking, truth: Ranking) -> Tensor:
    """Pearson correlation of the ranks; tied tokens have their average rank.

    Args:
        ranking: (rows, tokens).
        truth: (rows, tokens), or (1, tokens) for all rows.

    Returns:
        (rows,) float64 in [-1, 1]; chance is 0. A row whose scores are all equal, as those of a single token are, gets 0.

    Raises:
        ValueError: as for ``check_same_tokens``.

    >>> import torch
    >>> spearman(Ranking(torch.tensor([[1.0, 2.0, 3.0]])), Ranking(torch.tensor([[0.1, 0.3, 0.2]])))
    tensor([0.5000], dtype=torch.float64)
    """
    check_same_tokens(ranking, truth)
    return (ranking.standard_ranks * truth.standard_ranks).sum(dim=1).clamp(-1, 1)
