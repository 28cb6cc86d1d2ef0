"""CLAA, Cross-Layer Attention Aggregation: a token matters if one of the last few layers says so."""

from dataclasses import dataclass

import torch
from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.heuristic import Heuristic, check_choice, check_window
from tokenrank.heuristics.smoothing import check_kernel, smooth
from tokenrank.heuristics.window import by_key_head, keep_window, window_votes


@dataclass(frozen=True)
class CLAA(Heuristic):
    """FastKV's signal per key head, z-scored over tokens; then the maximum over key heads and the last ``n`` layers.

    The first n - 1 layers use the layers there are (the authors' figures copy row n - 1 backwards instead).

    Source: McDanel, Li, Khaitan 2026, https://arxiv.org/abs/2602.16054.
    """

    n: int = 4  # layers: this one and the n - 1 before it
    window: int = 8  # queries at the end of the prompt
    kernel: int = 7  # tokens, odd
    heads: str = "kv"  # kv: z-score per key head (the prefill); sum: of all heads together (the ranking figures)

    def __post_init__(self) -> None:
        check_window(self.window)
        check_kernel(self.kernel)
        check_choice("heads", self.heads, ("kv", "sum"))
        if self.n < 1:
            raise ValueError(f"n is {self.n}, must be at least 1 layer")

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), in standard deviations."""
        grouped = self._grouped(layer, 1 if self.heads == "sum" else layer.kv_heads)
        unbiased = min(1, grouped.shape[-1] - 1)  # a single token deviates from nothing
        deviation = grouped.std(dim=-1, correction=unbiased, keepdim=True) + 1e-8
        standard = (grouped - grouped.mean(dim=-1, keepdim=True)) / deviation
        return keep_window(standard.amax(dim=0), self.window)

    def score_heads(self, layer: AttentionLayer) -> Tensor:
        """(kv_heads, tokens): the heads of a group summed, as FastKV has them; a z-score would not change a head's order."""
        return keep_window(self._grouped(layer, layer.kv_heads), self.window)

    def _grouped(self, layer: AttentionLayer, groups: int) -> Tensor:
        votes = smooth(window_votes(layer, self.window), self.kernel)  # (heads, tokens - window)
        return by_key_head(votes, groups).sum(dim=1)  # (groups, tokens - window)

    def layers_combined(self) -> int:
        """``n``."""
        return self.n

    def combine(self, rows: Tensor) -> Tensor:
        """The running maximum over ``n`` layers: (layers so far, tokens)."""
        combined = rows
        for back in range(1, min(self.n, len(rows))):
            combined = torch.cat([combined[:back], torch.maximum(combined[back:], rows[:-back])])
        return combined
