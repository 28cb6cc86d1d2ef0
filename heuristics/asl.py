"""ASL (Adaptive Selection Layer): FastKV's scores, frozen at the first layer where the ranking is stable."""

from dataclasses import dataclass

import torch
from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.capture.needs import Needs
from tokenrank.heuristics.fastkv import FastKV
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.signals.checks import check_kernel, check_layer_count, check_window


@dataclass(frozen=True)
class ASL(Heuristic):
    """FastKV's scores up to the first layer with stable ranks; that layer's scores for all later layers.

    Ranks are stable at a layer if the variance of a token's rank over the last ``layers`` layers, averaged over tokens,
    is below ``tau`` times its value for unrelated rankings. Departures from the paper: its threshold has another scale
    (here 1 is the variance of unrelated rankings), and the variance is over all tokens.

    Source: Taniguchi et al. 2026, https://arxiv.org/abs/2601.07667.
    """

    tau: float = 0.3  # above 0, at most 1; of the rank variance of unrelated rankings
    layers: int = 4  # number of consecutive attention layers, at least 2
    first_layer: int = 0  # the first attention layer, counted from 0, at which the scores may be frozen
    window: int = 8  # queries at the end of the prompt
    kernel: int = 7  # tokens, odd

    def __post_init__(self) -> None:
        check_window(self.window)
        check_kernel(self.kernel)
        if not 0 < self.tau <= 1:
            raise ValueError(f"tau is {self.tau}, must be above 0 and at most 1")
        if self.layers < 2:
            raise ValueError(f"layers is {self.layers}, must be at least 2")
        if self.first_layer < 0:
            raise ValueError(f"first_layer is {self.first_layer}, must be at least 0")

    @property
    def needs(self) -> Needs:
        """The attention of the last ``window`` queries."""
        return Needs(window=self.window)

    def check_layers(self, layers: ModelLayers) -> None:
        """Raises ValueError if ``layers`` or ``first_layer`` is beyond the model's layers."""
        check_layer_count("layers", self.layers, layers.total)
        if self.first_layer >= layers.total:
            raise ValueError(
                f"first_layer is {self.first_layer}, must be below {layers.total}, the number of layers of the model"
            )

    def least_tokens(self) -> int:
        """More than the window, and at least the kernel."""
        return max(self.window + 1, self.kernel)

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), as in FastKV."""
        return FastKV(self.window, self.kernel).score(layer)

    def score_heads(self, layer: AttentionLayer) -> Tensor:
        """(kv_heads, tokens), as in FastKV."""
        return FastKV(self.window, self.kernel).score_heads(layer)

    def layers_combined(self) -> None:
        """All earlier layers: any of them may be the one whose scores are frozen."""

    def combine(self, rows: Tensor) -> Tensor:
        """(layers so far, tokens): each layer's own row up to the frozen layer, that layer's row after it."""
        tokens = rows.shape[1]
        places = rows.argsort(dim=1, descending=True, stable=True).argsort(dim=1) / tokens  # uniform in [0, 1)
        for last in range(max(self.layers - 1, self.first_layer), len(rows)):
            recent = places[last - self.layers + 1 : last + 1]
            if 12 * recent.var(dim=0).mean() < self.tau:  # a uniform number in [0, 1) has variance 1 / 12
                return torch.cat([rows[:last], rows[last].expand(len(rows) - last, -1)])
        return rows
