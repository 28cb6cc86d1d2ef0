"""Rank-biased overlap: agreement of ranking and truth, weighted towards the top."""

import torch
from torch import Tensor

from tokenrank.metrics.ranked_tokens import Ranking, check_same_tokens


def rbo(ranking: Ranking, truth: Ranking, p: float) -> Tensor:
    """Share of tokens that both rankings have among their first d, averaged over depths d with weights proportional to p^d.

    A reader who goes on to the next token with probability p stops at depth 1 / (1 - p) on average. This is RBO_EXT,
    the extrapolated version (the paper's equation 32), for two rankings of the same N tokens: at depth N they agree
    fully, and the extrapolation assumes the same beyond it, so that identical rankings score 1.

    Args:
        ranking: (rows, tokens); only the order is used, in which ties are broken.
        truth: (rows, tokens), or (1, tokens) for all rows.
        p: persistence, the probability of going on to the next token, 0 < p < 1.

    Returns:
        (rows,) float64 in (0, 1]. For a random ranking see ``rbo_chance``.

    Raises:
        ValueError: p out of range, or as for ``check_same_tokens``.

    Source: Webber, Moffat and Zobel 2010, https://doi.org/10.1145/1852102.1852106.

    >>> rbo(Ranking(torch.tensor([[2.0, 1.0]])), Ranking(torch.tensor([[1.0, 2.0]])), p=0.5)
    tensor([0.5000], dtype=torch.float64)
    """
    check_same_tokens(ranking, truth)
    check_persistence(p)
    depths = torch.arange(1, ranking.tokens + 1, dtype=torch.float64)
    weights = (1 - p) * p ** (depths - 1)
    # A token is in both from the later of its two places on: at every depth d from there it adds weight / d.
    adds = (weights / depths).flip(0).cumsum(0).flip(0)  # (tokens,)
    theirs = truth.places.expand(ranking.scores.shape).gather(1, ranking.order)
    later = torch.maximum(theirs, torch.arange(ranking.tokens))  # (rows, tokens)
    return (adds[later].sum(dim=1) + p**ranking.tokens).clamp(max=1)


def rbo_chance(truth: Ranking, p: float) -> float:
    """Expectation for a random ranking: (1 - p^N) / (N (1 - p)), because d^2 / N tokens agree at depth d."""
    check_persistence(p)
    return (1 - p**truth.tokens) / (truth.tokens * (1 - p))


def check_persistence(p: float) -> None:
    """Raises ValueError unless p is strictly between 0 and 1."""
    if type(p) is not float or not 0 < p < 1:
        raise ValueError(f"p is {p!r}, must be a number above 0 and below 1")
