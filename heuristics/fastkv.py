"""FastKV: smoothed attention from the end of the prompt, summed over heads."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.needs import Needs
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.signals.checks import check_kernel, check_window
from tokenrank.signals.smoothing import smooth
from tokenrank.signals.window_votes import by_key_head, keep_window, window_votes


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

    @property
    def needs(self) -> Needs:
        """The attention of the last ``window`` queries."""
        return Needs(window=self.window)

    def least_tokens(self) -> int:
        """More than the window, and at least the kernel."""
        return max(self.window + 1, self.kernel)

    def always_kept(self, tokens: int) -> Sequence[int]:
        """The window."""
        return range(tokens - self.window, tokens)

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), each in [0, heads x window]."""
        return keep_window(self._votes(layer).sum(dim=0), self.window)

    def score_heads(self, layer: AttentionLayer) -> Tensor:
        """(kv_heads, tokens): summed over the query heads of each key head."""
        return keep_window(by_key_head(self._votes(layer), layer.kv_heads).sum(dim=1), self.window)

    def _votes(self, layer: AttentionLayer) -> Tensor:
        return smooth(window_votes(layer, self.window), self.kernel)  # (heads, tokens - window)
