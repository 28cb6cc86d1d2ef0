"""FastKV: a token matters if the end of the prompt attends to it, all heads together."""

from dataclasses import dataclass

from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.heuristic import Heuristic, check_window
from tokenrank.heuristics.smoothing import check_kernel, smooth
from tokenrank.heuristics.window import by_key_head, keep_window, window_votes


@dataclass(frozen=True)
class FastKV(Heuristic):
    """Attention from the last ``window`` queries, averaged over neighbouring tokens, summed over heads.

    Source: Jo et al. 2025, https://arxiv.org/abs/2502.01068.
    """

    window: int = 8  # queries at the end of the prompt
    kernel: int = 7  # tokens, odd

    def __post_init__(self) -> None:
        check_window(self.window)
        check_kernel(self.kernel)

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), each in [0, heads x window]."""
        return keep_window(self._votes(layer).sum(dim=0), self.window)

    def score_heads(self, layer: AttentionLayer) -> Tensor:
        """(kv_heads, tokens): the heads of a group summed."""
        return keep_window(by_key_head(self._votes(layer), layer.kv_heads).sum(dim=1), self.window)

    def _votes(self, layer: AttentionLayer) -> Tensor:
        return smooth(window_votes(layer, self.window), self.kernel)  # (heads, tokens - window)
