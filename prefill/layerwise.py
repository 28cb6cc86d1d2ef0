"""Layerwise prefill: half-way through the model, the tokens with the lowest scores are dropped."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.capture.pruning import Keep, PrunedRun
from tokenrank.capture.second_half import second_half
from tokenrank.capture.select_layer import first_layer_read, resolve_select_layer
from tokenrank.capture.shared_prefill import LayerReader, SharedPrefill
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.prefill.engine import Engine, Job, Prefilled, as_read, finished, resolved_layer
from tokenrank.prefill.kept_tokens import of_cached_heads
from tokenrank.prefill.scores import Chosen, LayerScores


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

    @property
    def select_at(self) -> int:
        """The select layer."""
        return resolved_layer(self.select_layer)

    def reader(self, heuristic: Heuristic, device: torch.device) -> LayerScores:
        """Rows up to the select layer, and scores of the heads whose caches are compressed."""
        return LayerScores(heuristic, device, self.first_scored, self.select_at, heads_from=self.min_layer)

    def prefill(self, job: Job) -> Prefilled:
        """As ``Engine.prefill``; later layers never see what was not kept."""
        select_layer, heuristic = self.select_at, job.ranker
        run = PrunedRun(job.model, job.input_ids, answer_tokens=job.answer_tokens, clock=job.clock)
        scores, chosen = self.reader(heuristic, run.device), Chosen(job, self.protected(job))
        onward: list[Tensor] = []

        def visit(layer: AttentionLayer) -> Keep:
            scores.visit(layer)
            cached = None
            if layer.index >= self.min_layer:
                cached = chosen.best(of_cached_heads(scores.heads[layer.index], run.cached_heads(layer.index)))
            if layer.index != select_layer:
                return Keep(cached)
            onward.append(chosen.best(scores.combined()))
            return Keep(cached, onward[0], last=True)

        logits = run.prefill(visit, heuristic.needs)
        chosen.check()
        return finished(job, run, logits, onward[0], len(job.input_ids), run.choosing.seconds)

    def prefill_after(self, job: Job, shared: SharedPrefill, reader: LayerReader) -> Prefilled:
        """As ``Engine.prefill_after``: only the layers behind the select layer run."""
        scores, chosen = as_read(reader, LayerScores), Chosen(job, self.protected(job))
        cached = {
            layer: chosen.best(of_cached_heads(heads, shared.cached_heads(layer)))
            for layer, heads in scores.heads.items()
        }
        onward = chosen.best(scores.combined())
        chosen.check()
        run = PrunedRun(job.model, job.input_ids, answer_tokens=job.answer_tokens)
        logits, operations = second_half(run, shared, self.select_at, onward, cached)
        done = finished(job, run, logits, onward, len(job.input_ids), 0.0)
        return replace(done, operations=shared.operations_after(self.select_at) + scores.operations + operations)
