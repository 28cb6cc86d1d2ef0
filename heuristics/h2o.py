"""H2O: attention accumulated over all queries of the prompt."""

from dataclasses import dataclass

import torch
from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.signals.weighted_attention import weighted_attention


@dataclass(frozen=True)
class H2O(Heuristic):
    """Causal attention summed over all queries, mean over heads. It costs about as much as the prefill's own attention.

    Early tokens are seen by more queries; like the original, we do not correct for it.

    Source: Zhang et al. 2023, https://arxiv.org/abs/2306.14048.
    """

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), each in [0, tokens]; their sum is the number of tokens."""
        return weighted_attention(layer, torch.ones(layer.tokens, device=layer.keys.device))
