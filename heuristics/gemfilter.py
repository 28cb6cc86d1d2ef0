"""GemFilter: a token matters if the prompt's last query points at it."""

from dataclasses import dataclass

from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.heuristics.smoothing import check_kernel, smooth


@dataclass(frozen=True)
class GemFilter(Heuristic):
    """Raw products of the last query with every key (no scale, no softmax), summed over heads, then averaged over neighbours.

    Source: Shi et al. 2024, https://arxiv.org/abs/2409.17422.
    """

    kernel: int = 5  # tokens, odd

    def __post_init__(self) -> None:
        check_kernel(self.kernel)

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), any real number."""
        return smooth(layer.dots(rows=1)[:, 0].sum(dim=0), self.kernel)
