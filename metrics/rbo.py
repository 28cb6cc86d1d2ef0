"""Rank-biased overlap: do ranking and oracle agree from the top down, the top counting most?"""

import torch
from torch import Tensor

from tokenrank.metrics.ranking import Ranking, check_same_tokens


def rbo(ranking: Ranking, oracle: Ranking, p: float) -> Tensor:
    """Share of tokens that both rankings have among their first d, averaged over depths d with weights falling as p^d.

    A reader who goes on to the next token with probability p stops at depth 1 / (1 - p) on average. This is RBO_EXT,
    the extrapolated version (the paper's equation 32), of two rankings of the same N tokens: what lies beyond N is
    taken to agree as the N do, that is fully, so that identical rankings score 1.

    Args:
        ranking: (rows, tokens); only the order is used, which has no ties.
        oracle: (rows, tokens) or (1, tokens).
        p: the reader's persistence, 0 < p < 1.

    Returns:
        (rows,) float64 in (0, 1]. For a random ranking see ``rbo_chance``.

    Raises:
        ValueError: p out of range, or as for ``check_same_tokens``.

    Source: Webber, Moffat and Zobel 2010, https://doi.org/10.1145/1852102.1852106.

    >>> rbo(Ranking(torch.tensor([[2.0, 1.0]])), Ranking(torch.tensor([[1.0, 2.0]])), p=0.5)
    tensor([0.5000], dtype=torch.float64)
    """
    check_same_tokens(ranking, oracle)
    check_persistence(p)
    depths = torch.arange(1, ranking.tokens + 1, dtype=torch.float64)
    weights = (1 - p) * p ** (depths - 1)
    # A token is in both from the later of its two places on: from there it adds weight / d at every depth d.
    adds = (weights / depths).flip(0).cumsum(0).flip(0)  # (tokens,)
    theirs = oracle.places.expand(ranking.scores.shape).gather(1, ranking.order)
    later = torch.maximum(theirs, torch.arange(ranking.tokens))  # (rows, tokens)
    return (adds[later].sum(dim=1) + p**ranking.tokens).clamp(max=1)


def rbo_chance(oracle: Ranking, p: float) -> float:
    """What a random ranking scores in expectation: (1 - p^N) / (N (1 - p)), as d^2 / N tokens agree at depth d."""
    check_persistence(p)
    return (1 - p**oracle.tokens) / (oracle.tokens * (1 - p))


def check_persistence(p: float) -> None:
    """Raises ValueError unless p is strictly between 0 and 1."""
    if type(p) is not float or not 0 < p < 1:
        raise ValueError(f"p is {p!r}, must be a number above 0 and below 1")
