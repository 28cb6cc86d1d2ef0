"""H2O: attention accumulated over all queries of the prompt."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.signals.weighted_attention import weighted_attention
from tokenrank.signals.window_votes import keep_places


@dataclass(frozen=True)
class H2O(Heuristic):
    """Causal attention summed over all queries, mean over heads. It costs about as much as the prefill's own attention.

    Early tokens are seen by more queries; like the original, we do not correct for it. Half of the tokens
    that the original keeps are the most recent ones. A ranking does not know how many are kept, so ``recent`` is a share of the
    prompt: half the keep rate is the original's rule, and 0.05 that of a keep rate of 10 %.

    Source: Zhang et al. 2023, https://arxiv.org/abs/2306.14048.
    """

    recent: float = 0.05  # share of the prompt's tokens, at its end, that are always kept, from 0 to 1

    def __post_init__(self) -> None:
        if not 0 <= self.recent <= 1:
            raise ValueError(f"recent is {self.recent}, must be from 0 to 1")

    def always_kept(self, tokens: int) -> Sequence[int]:
        """The recent tokens."""
        return range(tokens - int(tokens * self.recent), tokens)

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), each in [0, tokens]."""
        summed = weighted_attention(layer, torch.ones(layer.tokens, device=layer.keys.device))
        return keep_places(summed, self.always_kept(layer.tokens))
