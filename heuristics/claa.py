"""CLAA (Cross-Layer Attention Aggregation): the maximum of standardised window attention over the last few layers."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.capture.needs import Needs
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.signals.checks import check_choice, check_kernel, check_layer_count, check_window
from tokenrank.signals.smoothing import smooth
from tokenrank.signals.window_votes import by_key_head, keep_window, window_votes


@dataclass(frozen=True)
class CLAA(Heuristic):
    """FastKV's signal per key head, z-scored over tokens; then the maximum over key heads and over ``n`` layers.

    Departure: the first n - 1 layers take the maximum over the layers there are (the authors' figures show row n - 1
    for them).

    Source: McDanel, Li, Khaitan 2026, https://arxiv.org/abs/2602.16054.
    """

    n: int = 4  # attention layers: this one and the n - 1 before it
    window: int = 8  # queries at the end of the prompt
    kernel: int = 7  # tokens, odd
    heads: str = "kv"  # kv: z-score per key head (the paper's prefill); sum: of all heads summed (its ranking figures)

    def __post_init__(self) -> None:
        check_window(self.window)
        check_kernel(self.kernel)
        check_choice("heads", self.heads, ("kv", "sum"))
        if self.n < 1:
            raise ValueError(f"n is {self.n}, must be at least 1 layer")

    @property
    def needs(self) -> Needs:
        """The attention of the last ``window`` queries."""
        return Needs(window=self.window)

    def check_layers(self, layers: ModelLayers) -> None:
        """Raises ValueError if ``n`` is above the number of layers; of a hybrid's attention layers, fewer may be there to combine."""
        check_layer_count("n", self.n, layers.total)

    def least_tokens(self) -> int:
        """More than the window, and at least the kernel."""
        return max(self.window + 1, self.kernel)

    def always_kept(self, tokens: int) -> Sequence[int]:
        """The window."""
        return range(tokens - self.window, tokens)

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), in standard deviations."""
        grouped = self._grouped(layer, 1 if self.heads == "sum" else layer.kv_heads)
        unbiased = min(1, grouped.shape[-1] - 1)  # the unbiased deviation of a single token would be 0 / 0
        deviation = grouped.std(dim=-1, correction=unbiased, keepdim=True) + 1e-8
        standard = (grouped - grouped.mean(dim=-1, keepdim=True)) / deviation
        return keep_window(standard.amax(dim=0), self.window)

    def score_heads(self, layer: AttentionLayer) -> Tensor:
        """(kv_heads, tokens), as in FastKV: a z-score does not change the order of tokens within a head."""
        return keep_window(self._grouped(layer, layer.kv_heads), self.window)

    def _grouped(self, layer: AttentionLayer, groups: int) -> Tensor:
        votes = smooth(window_votes(layer, self.window), self.kernel)  # (heads, tokens - window)
        return by_key_head(votes, groups).sum(dim=1)  # (groups, tokens - window)

    def layers_combined(self) -> int:
        """``n``."""
        return self.n

    def combine(self, rows: Tensor) -> Tensor:
        """(layers so far, tokens): the running maximum over ``n`` layers."""
        combined = rows
        for back in range(1, min(self.n, len(rows))):
            combined = torch.cat([combined[:back], torch.maximum(combined[back:], rows[:-back])])
        return combined
