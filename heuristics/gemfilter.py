"""GemFilter: smoothed dot products of the last query with every key."""

from dataclasses import dataclass

from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.signals.checks import check_kernel
from tokenrank.signals.smoothing import smooth


@dataclass(frozen=True)
class GemFilter(Heuristic):
    """Dot products q.k of the last query (no scale, no softmax), summed over heads, averaged over neighbouring tokens.

    Source: Shi et al. 2024, https://arxiv.org/abs/2409.17422.
    """

    kernel: int = 5  # tokens, odd

    def __post_init__(self) -> None:
        check_kernel(self.kernel)

    def least_tokens(self) -> int:
        """The kernel."""
        return self.kernel

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), any real number."""
        return smooth(layer.dots(rows=1)[:, 0].sum(dim=0), self.kernel)
