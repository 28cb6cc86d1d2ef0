"""Scores that are known before the prefill, served layer by layer as a heuristic."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.heuristic import Heuristic


@dataclass(frozen=True, eq=False)
class Precomputed(Heuristic):
    """Precomputed scores, served layer by layer or before the prompt is read: how the oracle ranks for an engine."""

    rows: Mapping[int, Tensor]  # layer -> (tokens,) float32, higher = keep

    @property
    def ranks_before(self) -> bool:
        """True: the scores are known."""
        return True

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), as given for this layer.

        Raises:
            ValueError: none were given for it.
        """
        if layer.index not in self.rows:
            known = ", ".join(map(str, sorted(self.rows))) or "none"
            raise ValueError(f"there are no precomputed scores for layer {layer.index}, only for: {known}")
        return self.rows[layer.index].to(layer.keys.device)

    def draft_scores(self, model: PreTrainedModel, input_ids: Tensor) -> Tensor:  # noqa: ARG002
        """(tokens,), the mean over all layers, on the CPU.

        Raises:
            ValueError: no scores were given.
        """
        if not self.rows:
            raise ValueError("there are no precomputed scores for any layer")
        rows = torch.stack([row.cpu() for row in self.rows.values()])
        return rows.double().mean(dim=0).float()  # in double precision, so that the mean of equal rows is the row
