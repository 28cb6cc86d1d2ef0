"""ASL, Adaptive Selection Layer: once the ranking no longer changes from layer to layer, keep it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.fastkv import FastKV
from tokenrank.heuristics.heuristic import Heuristic, check_window
from tokenrank.heuristics.smoothing import check_kernel


@dataclass(frozen=True)
class ASL(Heuristic):
    """FastKV's scores; from the first layer on where the ranks are stable, that layer's scores stay.

    Stable: the variance of a token's rank over the last ``layers`` layers, mean over tokens, lies below ``tau`` times
    that of rankings which have nothing to do with each other. Before that layer every row is its own. Departures: the
    paper's threshold is on its own scale of the variance, here 1 means unrelated rankings; the layer is found on scores
    of all tokens.

    Source: Taniguchi et al. 2026, https://arxiv.org/abs/2601.07667.
    """

    tau: float = 0.3  # above 0, at most 1; of the variance of unrelated rankings
    layers: int = 4  # this one and those before it, over which the ranks must be stable
    first_layer: int = 0  # no earlier one is chosen
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

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), FastKV's."""
        return FastKV(self.window, self.kernel).score(layer)

    def score_heads(self, layer: AttentionLayer) -> Tensor:
        """(kv_heads, tokens), FastKV's."""
        return FastKV(self.window, self.kernel).score_heads(layer)

    def layers_combined(self) -> None:
        """All: the chosen layer may be any."""

    def combine(self, rows: Tensor) -> Tensor:
        """The rows as they are up to the chosen layer, and its row from there on: (layers so far, tokens)."""
        tokens = rows.shape[1]
        places = rows.argsort(dim=1, descending=True, stable=True).argsort(dim=1) / tokens  # uniform in [0, 1)
        for last in range(max(self.layers - 1, self.first_layer), len(rows)):
            recent = places[last - self.layers + 1 : last + 1]
            if 12 * recent.var(dim=0).mean() < self.tau:  # the variance of a uniform number is 1 / 12
                return torch.cat([rows[:last], rows[last].expand(len(rows) - last, -1)])
        return rows
