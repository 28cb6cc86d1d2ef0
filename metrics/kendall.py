"""Kendall's tau-b: agreement of ranking and truth on the order of pairs of tokens."""

import torch
from scipy.stats import kendalltau
from torch import Tensor

from tokenrank.metrics.ranked_tokens import Ranking, check_same_tokens


def kendall(ranking: Ranking, truth: Ranking) -> Tensor:
    """Concordant minus discordant pairs of tokens, divided by the number of untied pairs (tau-b).

    The slowest metric, because scipy sorts once more (docs/benchmarks.md); ``metric=[recall,mass]`` leaves it out.

    Args:
        ranking: (rows, tokens).
        truth: (rows, tokens), or (1, tokens) for all rows.

    Returns:
        (rows,) float64 in [-1, 1]; chance is 0. A row whose scores are all equal, as those of a single token are, gets 0.

    Raises:
        ValueError: as for ``check_same_tokens``.

    Source: Kendall 1945, https://doi.org/10.1093/biomet/33.3.239.

    >>> kendall(Ranking(torch.tensor([[1.0, 2.0, 3.0]])), Ranking(torch.tensor([[0.1, 0.3, 0.2]])))
    tensor([0.3333], dtype=torch.float64)
    """
    check_same_tokens(ranking, truth)
    if ranking.tokens < 3:  # one pair at most; scipy's p value would divide by the number of tokens less 2
        return (ranking.scores.diff(dim=1).sign() * truth.scores.diff(dim=1).sign()).double().sum(dim=1)
    ours, theirs = ranking.scores.numpy(), truth.scores.expand(ranking.scores.shape).numpy()
    # scipy also computes a p value, which is not used; the asymptotic one is cheap
    taus = [float(kendalltau(a, b, method="asymptotic").statistic) for a, b in zip(ours, theirs, strict=True)]
    return torch.tensor(taus, dtype=torch.float64).nan_to_num(nan=0.0)  # NaN: all scores are tied
