"""H2O: a token matters if all tokens after it, together, attend to it much."""

from dataclasses import dataclass

import torch
from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.heuristics.weighted import weighted_attention


@dataclass(frozen=True)
class H2O(Heuristic):
    """Causal attention accumulated over all queries, averaged over heads. It costs about as much as the prefill's attention.

    Early tokens have more queries after them, and the score does not make up for it: so the original.

    Source: Zhang et al. 2023, https://arxiv.org/abs/2306.14048.
    """

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), each in [0, tokens]; their sum is the number of tokens."""
        return weighted_attention(layer, torch.ones(layer.tokens, device=layer.keys.device))
