"""ASL (Adaptive Selection Layer): FastKV's scores, frozen at the first layer where the ranking is stable."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.capture.needs import Needs
from tokenrank.heuristics.fastkv import FastKV
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.signals.checks import check_kernel, check_layer_count, check_window

LAYERS, FIRST_LAYER = 8, 10  # the source's, accepted for every model


@dataclass(frozen=True)
class ASL(Heuristic):
    """FastKV's scores up to the first layer with stable ranks; that layer's scores for all later layers.

    The instability of a layer is the variance of a token's rank over the last ``layers`` layers, averaged over the tokens that
    are among the best ``top`` percent of any of these layers. Ranks are stable at the first layer whose instability is below
    ``tau`` times that of ``first_layer``. Before that layer, and in a prompt that has none, each layer keeps its own scores,
    which are what the method would select by if it had to select there.

    ``first_layer`` is a number of the source's models (10 of 32 layers) and does not follow the depth of the model. A model
    with no layer after it never has stable ranks.

    Source: Taniguchi et al. 2026, https://arxiv.org/abs/2601.07667. The value of ``top`` is ours: with it ten prompts of
    SmolLM2 have no stable layer, and layer 9 with first_layer 7, as is reported of the authors' code.
    """

    tau: float = 0.3  # above 0, at most 1; of the instability at first_layer
    layers: int = LAYERS  # number of consecutive attention layers, at least 2
    first_layer: int = FIRST_LAYER  # attention layer, from 0, that later ones are compared with; layers - 1 at least
    top: float = 10  # percent of the tokens before the window, above 0 and at most 100
    window: int = 32  # queries at the end of the prompt
    kernel: int = 7  # tokens, odd

    def __post_init__(self) -> None:
        check_window(self.window)
        check_kernel(self.kernel)
        if not 0 < self.tau <= 1:
            raise ValueError(f"tau is {self.tau}, must be above 0 and at most 1")
        if not 0 < self.top <= 100:
            raise ValueError(f"top is {self.top}, must be above 0 and at most 100 percent")
        if self.layers < 2:
            raise ValueError(f"layers is {self.layers}, must be at least 2")
        if self.first_layer < 0:
            raise ValueError(f"first_layer is {self.first_layer}, must be at least 0")

    @property
    def needs(self) -> Needs:
        """The attention of the last ``window`` queries."""
        return Needs(window=self.window)

    def check_layers(self, layers: ModelLayers) -> None:
        """Raises ValueError if ``layers`` or ``first_layer`` is beyond the model's layers and not the default."""
        if self.layers != LAYERS:
            check_layer_count("layers", self.layers, layers.total)
        if self.first_layer not in (FIRST_LAYER, *range(layers.total)):
            raise ValueError(
                f"first_layer is {self.first_layer}, must be below {layers.total}, the number of layers of the model"
            )

    def least_tokens(self) -> int:
        """More than the window, and at least the kernel."""
        return max(self.window + 1, self.kernel)

    def always_kept(self, tokens: int) -> Sequence[int]:
        """The window."""
        return range(tokens - self.window, tokens)

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
        last = self.stable_layer(rows)
        return rows if last is None else torch.cat([rows[:last], rows[last].expand(len(rows) - last, -1)])

    def stable_layer(self, rows: Tensor) -> int | None:
        """The first layer with stable ranks, counted in the rows; None if there is none so far.

        Args:
            rows: (layers so far, tokens), as for ``combine``.
        """
        first = max(self.first_layer, self.layers - 1)
        order = rows[:, : rows.shape[1] - self.window].argsort(dim=1, descending=True, stable=True)
        compared: Tensor | None = None
        for last in range(first, len(rows)):
            instability = self._instability(order[last - self.layers + 1 : last + 1])
            compared = instability if compared is None else compared
            if instability < self.tau * compared:
                return last
        return None

    def _instability(self, order: Tensor) -> Tensor:
        """() variance of a token's rank over layers, mean over the best tokens of each; ``order`` (layers, tokens), best first."""
        tokens = order.shape[1]
        best = torch.unique(order[:, : max(1, int(tokens * self.top / 100))])
        return order.argsort(dim=1)[:, best].double().var(dim=0).mean()
