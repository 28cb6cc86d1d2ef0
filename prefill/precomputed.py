"""Scores that are known before the prefill, served layer by layer as a heuristic."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.heuristic import Heuristic


@dataclass(frozen=True, eq=False)
class Precomputed(Heuristic):
    """Precomputed scores, served layer by layer: how the oracle ranks for an engine."""

    rows: Mapping[int, Tensor]  # layer -> (tokens,) float32, higher = keep

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), as given for this layer.

        Raises:
            ValueError: none were given for it.
        """
        if layer.index not in self.rows:
            known = ", ".join(map(str, sorted(self.rows))) or "none"
            raise ValueError(f"there are no precomputed scores for layer {layer.index}, only for: {known}")
        return self.rows[layer.index].to(layer.keys.device)
