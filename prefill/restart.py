"""Restarted prefill: the first layers read the whole prompt, then the whole model reads only the best tokens."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.capture.operations import END, counted_once
from tokenrank.capture.partial import read_up_to
from tokenrank.capture.pruning import PrunedRun
from tokenrank.capture.select_layer import first_layer_read, resolve_select_layer
from tokenrank.capture.shared_prefill import LayerReader, SharedPrefill
from tokenrank.capture.stopwatch import Stopwatch
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.prefill.engine import Engine, Job, Prefilled, as_read, finished, resolved_layer
from tokenrank.prefill.scores import LayerScores, best_places


@dataclass(frozen=True)
class Restart(Engine):
    """The prompt is read up to the queries and keys of ``select_layer``; its best tokens are then read as a new, shorter prompt.

    The kept tokens get the positions 0, 1, 2, ... and the answer those after them. Departures from the original: the last
    ``window`` tokens are always kept, and the first reading ends before that layer's attention is computed, which the
    ranking does not need.

    Source: Shi et al. 2024, https://arxiv.org/abs/2409.17422 (GemFilter).
    """

    kind: ClassVar[str] = "restart"

    select_layer: int | None = None  # the layer whose ranking decides; None: half the layers less one
    first_scored: int = 0  # the first layer that the ranking at ``select_layer`` reads; ``resolved`` fills it in

    def resolved(self, heuristic: Heuristic, layers: ModelLayers) -> Self:
        """The engine with its select layer; raises ValueError if the model lacks it, or the heuristic ranks after an answer."""
        if heuristic.needs.answer:
            raise ValueError(
                f"{type(heuristic).__name__} has no ranking of a layer's own, which the restart engine needs"
            )
        select_layer = resolve_select_layer(layers, self.select_layer)
        first = first_layer_read(layers, select_layer, heuristic.layers_combined())
        return replace(self, select_layer=select_layer, first_scored=first)

    def reader(self, heuristic: Heuristic, device: torch.device) -> LayerScores:
        """Rows up to the select layer."""
        return LayerScores(heuristic, device, self.first_scored, resolved_layer(self.select_layer))

    def prefill(self, job: Job) -> Prefilled:
        """As ``Engine.prefill``; the answer's first token has the position ``kept``."""
        select_layer, heuristic, device = resolved_layer(self.select_layer), job.ranker, job.device
        choosing = Stopwatch(device, exact=job.clock)
        scores = self.reader(heuristic, device)

        def visit(layer: AttentionLayer) -> None:
            with choosing:
                scores.visit(layer)

        read_up_to(job.model, job.input_ids, select_layer, visit, heuristic.needs)
        with choosing:
            places = best_places(job, self.protected(job), scores.combined())
        return replace(self._restarted(job, places), choosing_seconds=choosing.seconds)

    def prefill_after(self, job: Job, shared: SharedPrefill, reader: LayerReader) -> Prefilled:
        """As ``Engine.prefill_after``: only the kept tokens are read."""
        scores = as_read(reader, LayerScores)
        places = best_places(job, self.protected(job), scores.combined())
        with counted_once(job.model, ("restart", len(places))) as marks:
            done = self._restarted(job, places)
        first = shared.operations_before_attention(resolved_layer(self.select_layer))
        return replace(done, operations=first + scores.operations + marks[END])

    def _restarted(self, job: Job, places: Tensor) -> Prefilled:
        run = PrunedRun(job.model, job.input_ids.to(job.device)[places], answer_tokens=job.answer_tokens)
        return finished(job, run, run.prefill(), places, job.kept, 0.0)
