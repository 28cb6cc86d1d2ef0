"""PyramidInfer: weighted attention of the most recent part of the prompt."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.signals.weighted_attention import weighted_attention
from tokenrank.signals.window_votes import keep_places


@dataclass(frozen=True)
class PyramidInfer(Heuristic):
    """Attention of the prompt's recent queries, weights rising linearly from 1 to ``last_weight``, mean over queries and heads.

    The recent tokens, ``share`` of the prompt and one more, are always kept, and so are the first ``first``.

    Source: Yang et al. 2024, https://arxiv.org/abs/2405.12532.
    """

    share: float = 0.2  # of the prompt's queries, at its end, above 0 and at most 1; one query more is read
    last_weight: float = 1.2  # of the last query, above 0; the first has weight 1
    first: int = 4  # tokens at the start of the prompt that are always kept, at least 0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share is {self.share}, must be above 0 and at most 1")
        if self.last_weight <= 0:
            raise ValueError(f"last_weight is {self.last_weight}, must be above 0")
        if self.first < 0:
            raise ValueError(f"first is {self.first}, must be at least 0 tokens")

    def always_kept(self, tokens: int) -> Sequence[int]:
        """The first tokens and the recent ones."""
        recent = range(tokens - self._recent(tokens), tokens)
        return (*range(min(self.first, recent.start)), *recent)

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), each in [0, the larger of 1 and last_weight]."""
        rows = self._recent(layer.tokens)
        weights = torch.linspace(1, self.last_weight, rows, device=layer.keys.device)
        return keep_places(weighted_attention(layer, weights / rows), self.always_kept(layer.tokens))

    def _recent(self, tokens: int) -> int:
        return min(tokens, 1 + int(tokens * self.share))
