"""Scores with their order, sorted once for all metrics, and the checks that metrics share."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

RELEASED = "_released"  # the order, of a ranking that was released


def sorted_places(scores: Tensor) -> Tensor:
    """(rows, tokens) int64: places from the highest to the lowest score; of equal ones the earlier first."""
    return scores.argsort(dim=1, descending=True, stable=True)


@dataclass(frozen=True)
class Ranking:
    """One or more rankings of the same tokens, one per row. Order and ranks are computed on first use and kept; ``release`` makes them small.

    >>> Ranking(torch.tensor([[0.1, 0.7, 0.7, 0.2]])).order
    tensor([[1, 2, 3, 0]])
    """

    scores: Tensor  # (rows, tokens), finite, higher = better

    def __post_init__(self) -> None:
        if self.scores.dim() != 2 or self.scores.shape[1] == 0:
            raise ValueError(
                f"scores have the shape {tuple(self.scores.shape)}, must be (rows, tokens) with a token at least"
            )

    @property
    def tokens(self) -> int:
        """Number of tokens ranked."""
        return self.scores.shape[1]

    @cached_property
    def order(self) -> Tensor:
        """(rows, tokens) int64: tokens from best to worst; of tokens with equal scores the earlier one first."""
        found: Tensor | None = vars(self).get(RELEASED)
        if found is not None:
            return found.long()
        rows = self.scores[:1] if self.scores.stride(0) == 0 else self.scores  # 0: one row, seen as several
        return sorted_places(rows).expand(self.scores.shape)

    def release(self) -> None:
        """Of what was computed keeps the order, in 4 bytes a token: ranks are computed again on their next use, without sorting."""
        kept = vars(self)
        if "order" in kept:
            kept[RELEASED] = kept.pop("order").int()
        for name in ("places", "standard_ranks"):
            kept.pop(name, None)

    @cached_property
    def places(self) -> Tensor:
        """(rows, tokens) int64: the place of each token in ``order``, 0 for the best."""
        return torch.empty_like(self.order).scatter_(1, self.order, torch.arange(self.tokens).expand_as(self.order))

    @cached_property
    def standard_ranks(self) -> Tensor:
        """(rows, tokens) float64: average ranks, centred and scaled to length 1 (all 0 where all scores are equal)."""
        centred = torch.empty(self.scores.shape, dtype=torch.float64)
        for scores, order, out in zip(self.scores.numpy(), self.order.numpy(), centred.numpy(), strict=True):
            best_first = scores[order]
            begins = np.flatnonzero(np.append(True, best_first[1:] != best_first[:-1]))  # of each group of equal scores
            sizes = np.diff(begins, append=self.tokens)
            out[order] = np.repeat((self.tokens - sizes) / 2 - begins, sizes)  # the group's mean rank, centred
        length = centred.norm(dim=1, keepdim=True)
        return torch.where(length > 0, centred / length, 0.0)


def check_same_tokens(ranking: Ranking, truth: Ranking, k: int | None = None) -> None:
    """Raises ValueError unless both rank equally many tokens, the truth has one row or as many as the ranking, and k is in range."""
    if truth.tokens != ranking.tokens or len(truth.scores) not in (1, len(ranking.scores)):
        raise ValueError(
            f"ranking {tuple(ranking.scores.shape)} and truth {tuple(truth.scores.shape)} must rank as many tokens, "
            "and the truth must have one row or as many as the ranking"
        )
    if k is not None:
        check_k(ranking, k)


def check_k(ranking: Ranking, k: int) -> None:
    """Raises ValueError unless k is from 1 to the number of tokens ranked."""
    if not 1 <= k <= ranking.tokens:
        raise ValueError(f"k is {k}, must be from 1 to the {ranking.tokens} tokens ranked")


def gains(ranking: Ranking, truth: Ranking, k: int) -> Tensor:
    """(rows, k) float64: the true importance of the ranking's ``k`` best tokens, best-ranked first.

    Raises:
        ValueError: as for ``check_same_tokens``, or a row of the truth has a negative value or no positive one.
    """
    check_same_tokens(ranking, truth, k)
    lowest, highest = float(truth.scores.min()), float(truth.scores.amax(dim=1).min())
    if lowest < 0:
        raise ValueError(
            f"importance goes down to {lowest:g}, must be at least 0 everywhere: mass and ndcg are shares of its sum; "
            "recall, average_precision, rbo and the correlations use its order only"
        )
    if highest <= 0:
        raise ValueError("importance is 0 at every token of a row, must be positive at one token at least")
    return truth.scores.double().expand(ranking.scores.shape).gather(1, ranking.order[:, :k])
