"""Evidence recall@k: the share of the evidence (all tokens that hold what answers the question) that the ranking keeps."""

from collections.abc import Sequence

import torch
from torch import Tensor

from tokenrank.metrics.ranked_tokens import Ranking, check_k


def evidence_recall_at_k(ranking: Ranking, evidence: Sequence[range], k: int) -> Tensor:
    """Fraction of the tokens of all spans among the ranking's ``k`` best. The data name the spans; no oracle is needed.

    Args:
        ranking: (rows, tokens); only the order is used.
        evidence: positions of the tokens of each span; at least one span, none empty, all tokens ranked. A token that several spans hold
            counts once.
        k: tokens kept, 1 <= k <= tokens. If k is below the number of the evidence's tokens, 1 cannot be reached.

    Returns:
        (rows,) float64 in [0, 1]. A random ranking scores k / tokens in expectation.

    Raises:
        ValueError: k is out of range, or a span is empty or not among the ranked tokens, or there is none.

    >>> evidence_recall_at_k(Ranking(torch.tensor([[0.9, 0.1, 0.8, 0.2, 0.7]])), [range(0, 2), range(4, 5)], k=3)
    tensor([0.6667], dtype=torch.float64)
    """
    check_k(ranking, k)
    held = torch.zeros(ranking.tokens, dtype=torch.bool)
    for span in evidence:
        if len(span) == 0 or span.start < 0 or span.stop > ranking.tokens:
            raise ValueError(f"evidence is at {span}, must be a range within the {ranking.tokens} tokens ranked")
        held[span.start : span.stop] = True
    if not len(evidence):
        raise ValueError("evidence is empty, must hold at least one span")
    return held[ranking.order[:, :k]].sum(dim=1).double() / int(held.sum())
