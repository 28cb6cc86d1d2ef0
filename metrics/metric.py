"""A formula with what the benchmark must know to apply it; the fields are its config."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from tokenrank.metrics.ranking import Ranking


@dataclass(frozen=True)
class Truth:
    """What one prompt's rankings are held against."""

    oracle: Ranking  # (1, tokens), or (layers, tokens) for the per-layer oracle
    needle: range | None  # where the task knows it


@dataclass(frozen=True)
class Metric:
    """One metric as the benchmark applies it."""

    measure: Callable[
        ..., Tensor
    ]  # (ranking[, truth][, k]) -> (layers,), or the last of them where the first have none
    chance: Callable[..., float]  # (oracle[, k]) -> what a random ranking scores in expectation
    at_k: bool  # both take k, a number of tokens
    truth: str = "oracle"  # what rankings are held against: oracle, needle, or itself (one layer against another)
    between: Callable[..., Tensor] | None = None  # (ranking[, k]) -> (layers, layers), symmetric, 1 on the diagonal

    def __post_init__(self) -> None:
        if self.truth not in ("oracle", "needle", "itself"):
            raise ValueError(f"truth is {self.truth!r}, must be oracle, needle or itself")
        two_tokens = Truth(Ranking(torch.ones(1, 2)), needle=None)
        self.by_chance(two_tokens, 1 if self.at_k else None)  # a setting out of range shows here, before any prompt

    def applies(self, truth: Truth) -> bool:
        """Whether this prompt has what the metric is held against."""
        return self.truth != "needle" or truth.needle is not None

    def values(self, ranking: Ranking, truth: Truth, k: int | None) -> Tensor:
        """Of one heuristic on one prompt, as ``measure`` has it; ``k`` in tokens, None for a metric without."""
        held: dict[str, list[Any]] = {"oracle": [truth.oracle], "needle": [truth.needle], "itself": []}
        return self.measure(ranking, *held[self.truth], *([] if k is None else [k]))

    def values_between(self, ranking: Ranking, k: int | None) -> Tensor | None:
        """Of every two layers of one heuristic on one prompt, as ``between`` has it; None for a metric without."""
        return None if self.between is None else self.between(ranking, *([] if k is None else [k]))

    def by_chance(self, truth: Truth, k: int | None) -> float:
        """What a random ranking of the same tokens scores in expectation."""
        return self.chance(truth.oracle) if k is None else self.chance(truth.oracle, k)


def tokens_kept(percent: float, tokens: int) -> int:
    """Number of tokens that ``percent`` of them are, rounded down, at least 1.

    Raises:
        ValueError: percent outside (0, 100].

    >>> tokens_kept(10, 1239)
    123
    """
    if not 0 < percent <= 100:
        raise ValueError(f"k is {percent:g}, must be above 0 and at most 100 percent")
    return max(1, int(tokens * Fraction(str(percent)) / 100))  # exact: in floats 1.4 % of 5,500 are 76


def share_kept(oracle: Ranking, k: int) -> float:
    """Chance level of whatever counts a share of tokens: k / tokens."""
    return k / oracle.tokens


def no_association(_oracle: Ranking) -> float:
    """Chance level of a correlation: 0."""
    return 0.0
