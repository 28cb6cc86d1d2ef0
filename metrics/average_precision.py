"""Average precision: how far down the ranking are the important tokens?"""

import torch
from torch import Tensor

from tokenrank.metrics.ranked_tokens import Ranking, check_k, check_same_tokens


def average_precision_at_k(ranking: Ranking, truth: Ranking, k: int) -> Tensor:
    """Precision at the place of each of the truth's ``k`` best tokens, averaged over these tokens.

    Recall@k counts only whether such a token is among the first k; average precision uses its place, also beyond k.

    Args:
        ranking: (rows, tokens); only the order is used, all of it.
        truth: (rows, tokens), or (1, tokens) for all rows.
        k: number of the truth's best tokens that count as relevant, 1 <= k <= tokens.

    Returns:
        (rows,) float64 in (0, 1]. For a random ranking see ``average_precision_chance``.

    Raises:
        ValueError: as for ``check_same_tokens``.

    Source: Manning, Raghavan and Schuetze 2008, section 8.4, https://nlp.stanford.edu/IR-book/.

    >>> average_precision_at_k(Ranking(torch.tensor([[3.0, 2.0, 1.0]])), Ranking(torch.tensor([[0.9, 0.1, 0.5]])), k=2)
    tensor([0.8333], dtype=torch.float64)
    """
    check_same_tokens(ranking, truth, k)
    relevant = torch.zeros(truth.scores.shape, dtype=torch.bool).scatter_(1, truth.order[:, :k], True)
    met = relevant.expand(ranking.scores.shape).gather(1, ranking.order)  # (rows, tokens), best-ranked first
    places = met.nonzero()[:, 1].view(-1, k) + 1  # of the relevant tokens, 1 for the best-ranked
    return (torch.arange(1, k + 1) / places.double()).mean(dim=1)


def average_precision_chance(truth: Ranking, k: int) -> float:
    """Expectation for a random ranking, exact.

    With N tokens and H the sum of 1 / i for i = 1 to N: (H + (N - H) (k - 1) / (N - 1)) / N.

    Source: Bestgen 2015, Exact expected average precision of the random baseline for system evaluation.
    """
    check_k(truth, k)
    tokens = truth.tokens
    harmonic = float((1 / torch.arange(1, tokens + 1, dtype=torch.float64)).sum())
    return (harmonic + (tokens - harmonic) * (k - 1) / max(tokens - 1, 1)) / tokens
