"""Key norm: tokens with short keys rank first."""

from dataclasses import dataclass

import torch
from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.heuristic import Heuristic


@dataclass(frozen=True)
class KeyNorm(Heuristic):
    """Minus the L2 norm of the token's key, mean over key heads. It uses no query.

    Source: Devoto et al. 2024, https://arxiv.org/abs/2406.11430.
    """

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), at most 0."""
        return self.score_heads(layer).mean(dim=0)

    def score_heads(self, layer: AttentionLayer) -> Tensor:
        """(kv_heads, tokens), at most 0: each key head has its own scores, as in the original."""
        norms: Tensor = torch.linalg.vector_norm(layer.keys.float(), dim=-1)
        return -norms
