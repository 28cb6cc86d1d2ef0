"""Mass captured@k: the share of the true importance that the kept tokens hold."""

from torch import Tensor

from tokenrank.metrics.ranked_tokens import Ranking, gains


def mass_at_k(ranking: Ranking, truth: Ranking, k: int) -> Tensor:
    """Importance of the ranking's ``k`` best tokens, divided by that of all tokens.

    Unlike recall it does not change if two tokens of equal importance are swapped.

    Args:
        ranking: (rows, tokens); only the order is used.
        truth: (rows, tokens), or (1, tokens) for all rows; at least 0, with a positive sum.
        k: tokens kept, 1 <= k <= tokens.

    Returns:
        (rows,) float64 in [0, 1]. A random ranking scores k / tokens in expectation.

    Raises:
        ValueError: a row of the truth has a negative value or no positive one, or as for ``check_same_tokens``.

    >>> import torch
    >>> mass_at_k(Ranking(torch.tensor([[3.0, 2.0, 1.0]])), Ranking(torch.tensor([[0.5, 0.0, 1.5]])), k=1)
    tensor([0.2500], dtype=torch.float64)
    """
    return gains(ranking, truth, k).sum(dim=1) / truth.scores.double().sum(dim=1)
