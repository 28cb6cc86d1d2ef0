"""SnapKV: smoothed attention from the end of the prompt, head by head."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.needs import Needs
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.signals.checks import check_choice, check_kernel, check_window
from tokenrank.signals.smoothing import smooth
from tokenrank.signals.window_votes import by_key_head, keep_window, window_votes


@dataclass(frozen=True)
class SnapKV(Heuristic):
    """Attention from the last ``window`` queries, pooled over neighbouring tokens in each head, then reduced over heads.

    Departure: the original selects tokens for each head alone; one ranking of tokens needs a mean or maximum over heads.

    Source: Li et al. 2024, https://arxiv.org/abs/2404.14469.
    """

    window: int = 32  # queries at the end of the prompt
    kernel: int = 7  # tokens, odd
    pool: str = "max"  # over neighbouring tokens: max or average
    heads: str = "mean"  # over heads: mean or max

    def __post_init__(self) -> None:
        check_window(self.window)
        check_kernel(self.kernel)
        check_choice("pool", self.pool, ("max", "average"))
        check_choice("heads", self.heads, ("mean", "max"))

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
        """(tokens,), each in [0, window]."""
        return keep_window(self._over_heads(self._votes(layer), dim=0), self.window)

    def score_heads(self, layer: AttentionLayer) -> Tensor:
        """(kv_heads, tokens): the query heads of each key head reduced as ``heads`` says."""
        return keep_window(self._over_heads(by_key_head(self._votes(layer), layer.kv_heads), dim=1), self.window)

    def _votes(self, layer: AttentionLayer) -> Tensor:
        return smooth(window_votes(layer, self.window), self.kernel, self.pool)  # (heads, tokens - window)

    def _over_heads(self, votes: Tensor, dim: int) -> Tensor:
        return votes.mean(dim=dim) if self.heads == "mean" else votes.amax(dim=dim)
