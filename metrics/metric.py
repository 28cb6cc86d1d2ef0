"""A metric's formula together with what is needed to apply it: its chance level, its k, and what it compares with."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from tokenrank.metrics.masked_answer import Loss, MaskedAnswer
from tokenrank.metrics.ranked_tokens import Ranking

# what rankings are compared with: a truth, the needle, all evidence, one layer with another, random masks of the prompt, or the answer's loss
TRUTH, NEEDLE, EVIDENCE, ITSELF, MASKS, LOSS = AGAINST = ("truth", "needle", "evidence", "itself", "masks", "loss")
FEEDS_ANSWER = (MASKS, LOSS)  # of these, what needs further passes over the answer


@dataclass(frozen=True)
class Target:
    """What the rankings of one prompt are compared with."""

    truth: Ranking  # (1, tokens) importance, or (layers, tokens) if every layer has its own
    evidence: Sequence[range] = ()  # positions of the tokens that hold what answers the question, if the data name them
    masked: MaskedAnswer | None = None  # where a metric asks for it
    loss: Loss | None = None  # of the answer, likewise

    @property
    def needle(self) -> range | None:
        """Positions of the evidence that is one span; None: there is none, or there are several."""
        return self.evidence[0] if len(self.evidence) == 1 else None


@dataclass(frozen=True)
class Metric:
    """One metric as the benchmark applies it; the fields are its config."""

    # (ranking[, what it is compared with][, k]) -> one value per layer; a shorter result covers the last layers
    measure: Callable[..., Tensor]
    chance: Callable[..., float] | None  # (truth[, k]) -> expectation for a random ranking; None: it is not known
    at_k: bool  # whether both take k, a number of tokens
    against: str = TRUTH  # what rankings are compared with, one of AGAINST
    nonnegative: bool = False  # whether it needs a truth that is at least 0 everywhere: values are shares of its sum
    between: Callable[..., Tensor] | None = None  # (ranking[, k]) -> (layers, layers), symmetric, 1 on the diagonal

    def __post_init__(self) -> None:
        if self.against not in AGAINST:
            raise ValueError(f"against is {self.against!r}, must be one of {', '.join(AGAINST)}")
        two_tokens = Target(Ranking(torch.ones(1, 2)))
        self.by_chance(two_tokens, 1 if self.at_k else None)  # raises for a setting out of range, before any prompt

    def applies(self, target: Target) -> bool:
        """Whether this prompt has what the metric compares rankings with."""
        return all(each is not None for each in self._compared(target))

    def values(self, ranking: Ranking, target: Target, k: int | None) -> Tensor:
        """One heuristic's values on one prompt, as ``measure`` returns them; ``k`` in tokens, None for a metric without."""
        return self.measure(ranking, *self._compared(target), *([] if k is None else [k]))

    def values_between(self, ranking: Ranking, k: int | None) -> Tensor | None:
        """Values for every pair of layers of one heuristic on one prompt; None for a metric without ``between``."""
        return None if self.between is None else self.between(ranking, *([] if k is None else [k]))

    def _compared(self, target: Target) -> list[Any]:
        compared = {
            TRUTH: target.truth, NEEDLE: target.needle, EVIDENCE: target.evidence or None, MASKS: target.masked, LOSS: target.loss,
        }  # fmt: skip
        return [] if self.against == ITSELF else [compared[self.against]]

    def by_chance(self, target: Target, k: int | None) -> float:
        """Expectation for a random ranking of the same tokens; NaN where it is not known."""
        if self.chance is None:
            return math.nan
        return self.chance(target.truth) if k is None else self.chance(target.truth, k)


def tokens_kept(percent: float, tokens: int) -> int:
    """``percent`` of a number of tokens, rounded down, at least 1.

    Raises:
        ValueError: percent outside (0, 100].

    >>> tokens_kept(10, 1239)
    123
    """
    if not 0 < percent <= 100:
        raise ValueError(f"k is {percent:g}, must be above 0 and at most 100 percent")
    return max(
        1, int(tokens * Fraction(str(percent)) / 100)
    )  # exact arithmetic: in floats 1.4 % of 5,500 are 76, not 77


def share_kept(truth: Ranking, k: int) -> float:
    """Chance level of recall and of every other share that the k kept tokens hold: k / tokens."""
    return k / truth.tokens


def no_association(_truth: Ranking) -> float:
    """Chance level of a correlation: 0."""
    return 0.0
