"""Key norm: a token matters if its keys are short."""

from dataclasses import dataclass

import torch
from torch import Tensor

from capture.layer import AttentionLayer
from heuristics.heuristic import Heuristic


@dataclass(frozen=True)
class KeyNorm(Heuristic):
    """Minus the L2 norm of the token's key, averaged over key heads. It looks at no query.

    Source: Devoto et al. 2024, https://arxiv.org/abs/2406.11430.
    """

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), at most 0."""
        norms: Tensor = torch.linalg.vector_norm(layer.keys.float(), dim=-1)  # (kv_heads, tokens)
        return -norms.mean(dim=0)
