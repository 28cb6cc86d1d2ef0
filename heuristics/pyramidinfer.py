"""PyramidInfer: weighted attention of the most recent part of the prompt."""

from dataclasses import dataclass

import torch
from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.signals.weighted_attention import weighted_attention


@dataclass(frozen=True)
class PyramidInfer(Heuristic):
    """Attention of the last ``share`` of the queries, weights rising linearly from 1 to ``last_weight``, mean over queries and heads.

    Source: Yang et al. 2024, https://arxiv.org/abs/2405.12532.
    """

    share: float = 0.2  # of the prompt's queries, at its end, above 0 and at most 1; at least one query
    last_weight: float = 1.2  # of the last query, above 0; the first has weight 1

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share is {self.share}, must be above 0 and at most 1")
        if self.last_weight <= 0:
            raise ValueError(f"last_weight is {self.last_weight}, must be above 0")

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), each in [0, the larger of 1 and last_weight]."""
        rows = max(1, int(layer.tokens * self.share))
        weights = torch.linspace(1, self.last_weight, rows, device=layer.keys.device)
        return weighted_attention(layer, weights / rows)
