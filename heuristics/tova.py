"""TOVA: attention of the prompt's last query."""

from dataclasses import dataclass

from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.heuristic import Heuristic


@dataclass(frozen=True)
class TOVA(Heuristic):
    """The last query's attention, mean over heads.

    Source: Oren et al. 2024, https://arxiv.org/abs/2401.06104.
    """

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), each in [0, 1]; their sum is 1."""
        return layer.attention(rows=1)[:, 0].mean(dim=0)
