"""Layerwise prefill: half-way through the model, the tokens with the lowest scores are dropped."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.capture.pruning import Keep, PrunedRun
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.prefill.engine import Engine, Job, Prefilled, finished, resolved_layer
from tokenrank.prefill.kept_tokens import best_and_protected, of_cached_heads, refuse_count, refuse_nan
from tokenrank.prefill.select_layer import first_layer_read, resolve_select_layer


@dataclass(frozen=True)
class Layerwise(Engine):
    """Layers up to ``select_layer`` process every token, later ones only those with the highest scores at that layer.

    The kept tokens stay at their original positions. The cache of each layer from ``min_layer`` to ``select_layer`` is compressed
    to as many tokens, by that layer's own scores, each key head separately.

    Source: Jo et al. 2025, https://arxiv.org/abs/2502.01068 (FastKV); McDanel, Li, Khaitan 2026,
    https://arxiv.org/abs/2602.16054 (CLAA).
    """

    kind: ClassVar[str] = "layerwise"

    select_layer: int | None = None  # the layer whose ranking decides; None: half the layers less one
    min_layer: int = 0  # layers before this one keep their whole cache; at most the model's number of layers
    first_scored: int = 0  # the first layer that the ranking at ``select_layer`` reads; ``resolved`` fills it in

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.min_layer < 0:
            raise ValueError(f"min_layer is {self.min_layer}, must be at least 0")

    def resolved(self, heuristic: Heuristic, layers: ModelLayers) -> Self:
        """The engine with its select layer.

        Raises:
            ValueError: the model lacks that layer or has fewer than ``min_layer``, or the heuristic ranks after an answer.
        """
        if heuristic.needs.answer:
            raise ValueError(
                f"{type(heuristic).__name__} has no ranking of a layer's own, which the layerwise engine needs; "
                "a heuristic with a draft model ranks for the draft engine"
            )
        if self.min_layer > layers.total:
            raise ValueError(f"min_layer is {self.min_layer}, must be at most {layers.total}, the model's layers")
        select_layer = resolve_select_layer(layers, self.select_layer)
        first = first_layer_read(layers, select_layer, heuristic.layers_combined())
        return replace(self, select_layer=select_layer, first_scored=first)

    def prefill(self, job: Job) -> Prefilled:
        """As ``Engine.prefill``; later layers never see what was not kept."""
        select_layer, heuristic, kept = resolved_layer(self.select_layer), job.ranker, job.kept
        run = PrunedRun(job.model, job.input_ids, answer_tokens=job.answer_tokens, clock=job.clock)
        protected = self.protected(job)
        rows: list[Tensor] = []
        used: list[Tensor] = []  # all scores that decide what is kept
        onward: list[Tensor] = []

        def best(scores: Tensor, layer: AttentionLayer) -> Tensor:
            refuse_count(scores, layer.tokens)
            used.append(scores)
            return best_and_protected(scores, kept, protected)

        def visit(layer: AttentionLayer) -> Keep:
            if layer.index >= self.first_scored:
                rows.append(heuristic.score(layer).to(run.device))
            cached = None
            if layer.index >= self.min_layer:
                cached = best(of_cached_heads(heuristic.score_heads(layer), run.cached_heads(layer.index)), layer)
            if layer.index != select_layer:
                return Keep(cached)
            onward.append(best(heuristic.combine(torch.stack(rows))[-1], layer))
            return Keep(cached, onward[0], last=True)

        logits = run.prefill(visit, heuristic.needs)
        refuse_nan(used, protected)
        return finished(job, run, logits, onward[0], len(job.input_ids), run.choosing.seconds)
