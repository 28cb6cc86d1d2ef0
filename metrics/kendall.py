"""Kendall's tau-b: of all pairs of tokens, how many more do ranking and oracle order alike than oppositely?"""

import torch
from scipy.stats import kendalltau
from torch import Tensor

from tokenrank.metrics.ranking import Ranking, check_same_tokens


def kendall(ranking: Ranking, oracle: Ranking) -> Tensor:
    """Pairs ordered alike minus pairs ordered oppositely, over the pairs that are not tied (tau-b).

    The only metric that sorts once more, inside scipy, and the slowest (docs/benchmarks.md); ``metric=[recall,mass]``
    leaves it out.

    Args:
        ranking: (rows, tokens).
        oracle: (rows, tokens) or (1, tokens).

    Returns:
        (rows,) float64 in [-1, 1]; chance is 0. A row whose scores are all equal orders nothing and gets 0.

    Raises:
        ValueError: as for ``check_same_tokens``.

    Source: Kendall 1945, https://doi.org/10.1093/biomet/33.3.239.

    >>> kendall(Ranking(torch.tensor([[1.0, 2.0, 3.0]])), Ranking(torch.tensor([[0.1, 0.3, 0.2]])))
    tensor([0.3333], dtype=torch.float64)
    """
    check_same_tokens(ranking, oracle)
    ours, theirs = ranking.scores.numpy(), oracle.scores.expand(ranking.scores.shape).numpy()
    # scipy gives a p value too; the approximate one costs nothing, and is not used
    taus = [float(kendalltau(a, b, method="asymptotic").statistic) for a, b in zip(ours, theirs, strict=True)]
    return torch.tensor(taus, dtype=torch.float64).nan_to_num(nan=0.0)  # NaN: nothing but ties
