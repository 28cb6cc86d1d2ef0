"""Key norm: a token matters if its keys are short."""

from dataclasses import dataclass

import torch
from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.heuristic import Heuristic


@dataclass(frozen=True)
class KeyNorm(Heuristic):
    """Minus the L2 norm of the token's key, averaged over key heads. It looks at no query.

    Source: Devoto et al. 2024, https://arxiv.org/abs/2406.11430.
    """

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), at most 0."""
        return self.score_heads(layer).mean(dim=0)

    def score_heads(self, layer: AttentionLayer) -> Tensor:
        """(kv_heads, tokens), at most 0: each head's own, as in the original."""
        norms: Tensor = torch.linalg.vector_norm(layer.keys.float(), dim=-1)
        return -norms
