"""Needle recall@k: would the ranking keep the sentence that holds the answer?"""

from torch import Tensor

from tokenrank.metrics.ranking import Ranking, check_k


def needle_recall_at_k(ranking: Ranking, needle: range, k: int) -> Tensor:
    """Fraction of the needle's tokens among the ranking's ``k`` best. It needs no oracle: the task knows the place.

    Args:
        ranking: (rows, tokens); only the order is used.
        needle: positions of the needle's tokens; at least one, all of them ranked.
        k: tokens kept, 1 <= k <= tokens. Where it is below the needle's length, 1 cannot be reached.

    Returns:
        (rows,) float64 in [0, 1]. A random ranking scores k / tokens in expectation.

    >>> import torch
    >>> needle_recall_at_k(Ranking(torch.tensor([[0.9, 0.1, 0.8, 0.2]])), range(1, 3), k=2)
    tensor([0.5000], dtype=torch.float64)
    """
    check_k(ranking, k)
    if len(needle) == 0 or needle.start < 0 or needle.stop > ranking.tokens:
        raise ValueError(f"the needle is at {needle}, must be a range within the {ranking.tokens} tokens ranked")
    kept = ranking.order[:, :k]
    return ((kept >= needle.start) & (kept < needle.stop)).sum(dim=1).double() / len(needle)
