"""Needle recall@k: the share of the needle (the text that holds the answer) that the ranking keeps."""

from torch import Tensor

from tokenrank.metrics.evidence import evidence_recall_at_k
from tokenrank.metrics.ranked_tokens import Ranking, check_k


def needle_recall_at_k(ranking: Ranking, needle: range, k: int) -> Tensor:
    """``evidence_recall_at_k`` of evidence that is one span. The task knows the needle's position; no oracle is needed.

    Args:
        ranking: (rows, tokens); only the order is used.
        needle: positions of the needle's tokens; at least one, all of them ranked.
        k: tokens kept, 1 <= k <= tokens. If k is below the needle's length, 1 cannot be reached.

    Returns:
        (rows,) float64 in [0, 1]. A random ranking scores k / tokens in expectation.

    Raises:
        ValueError: k is out of range, or the needle is empty or not among the ranked tokens.

    >>> import torch
    >>> needle_recall_at_k(Ranking(torch.tensor([[0.9, 0.1, 0.8, 0.2]])), range(1, 3), k=2)
    tensor([0.5000], dtype=torch.float64)
    """
    check_k(ranking, k)
    if len(needle) == 0 or needle.start < 0 or needle.stop > ranking.tokens:
        raise ValueError(f"the needle is at {needle}, must be a range within the {ranking.tokens} tokens ranked")
    return evidence_recall_at_k(ranking, [needle], k)
