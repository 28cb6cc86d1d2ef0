"""Layerwise prefill: half-way through the model, the tokens that matter less are left behind."""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.pruning import Keep, PrunedRun
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.prefill.engine import Engine, Job, Prefilled, finished, settled_layer
from tokenrank.prefill.layers import ModelLayers
from tokenrank.prefill.selection import best_and_window, refuse_nan


@dataclass(frozen=True)
class Layerwise(Engine):
    """Layers up to ``select_layer`` see every token, later ones only the best by the heuristic at that layer.

    The kept tokens stay at their original positions. The cache of the layers up to ``select_layer`` is compressed
    to as many tokens, by that layer's own scores and each key head for itself, but for the layers below ``min_layer``.

    Source: Jo et al. 2025, https://arxiv.org/abs/2502.01068 (FastKV); McDanel, Li, Khaitan 2026,
    https://arxiv.org/abs/2602.16054 (CLAA).
    """

    select_layer: int | None = None  # whose ranking decides; None: half the layers less one
    min_layer: int = 0  # layers before this one keep their whole cache
    first_scored: int = 0  # the ranking at ``select_layer`` reads no layer before this one; ``settled`` fills it in

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.min_layer < 0:
            raise ValueError(f"min_layer is {self.min_layer}, must be at least 0")

    def settled(self, heuristic: Heuristic, layers: ModelLayers) -> Self:
        """The engine with its layer; raises ValueError for one the model lacks, or a heuristic that ranks after an answer."""
        if heuristic.needs.answer:
            raise ValueError(
                f"{type(heuristic).__name__} has no ranking of a layer's own, which the layerwise engine needs; "
                "one with a draft model drives the draft engine"
            )
        select_layer = layers.select_layer(self.select_layer)
        first = layers.first_read(select_layer, heuristic.layers_combined())
        return replace(self, select_layer=select_layer, first_scored=first)

    def prefill(self, job: Job) -> Prefilled:
        """As ``Engine.prefill``; later layers never see what was not kept."""
        select_layer = settled_layer(self.select_layer)
        run, heuristic, kept = PrunedRun(job.model, job.input_ids, room=job.room, clock=job.clock), job.driver, job.kept
        rows: list[Tensor] = []
        read: list[Tensor] = []  # all scores that decide something
        onward: list[Tensor] = []

        def best(scores: Tensor, layer: AttentionLayer) -> Tensor:
            read.append(scores)
            return best_and_window(scores, layer.tokens, kept, self.window)

        def visit(layer: AttentionLayer) -> Keep:
            if layer.index >= self.first_scored:
                rows.append(heuristic.score(layer).to(run.device))
            cached = best(heuristic.score_heads(layer), layer) if layer.index >= self.min_layer else None
            if layer.index != select_layer:
                return Keep(cached)
            onward.append(best(heuristic.combine(torch.stack(rows))[-1], layer))
            return Keep(cached, onward[0])

        logits = run.prefill(visit, shared_rows=heuristic.needs.window, with_calls=heuristic.needs.call)
        refuse_nan(read, self.window)
        return finished(run, logits, onward[0], len(job.input_ids), run.choosing.seconds)
