"""Restarted prefill: a first part of the model reads everything, then the whole model reads only what matters."""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.partial import read_up_to
from tokenrank.capture.pruning import PrunedRun
from tokenrank.capture.stopwatch import Stopwatch
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.prefill.engine import Engine, Job, Prefilled, finished, settled_layer
from tokenrank.prefill.layers import ModelLayers
from tokenrank.prefill.selection import best_and_window, refuse_nan


@dataclass(frozen=True)
class Restart(Engine):
    """The prompt is read up to the queries and keys of ``select_layer``; its best tokens are then a new, shorter prompt.

    The kept tokens are renumbered 0, 1, 2, ... and the answer goes on from there. Departures from the original: the last
    ``window`` tokens are always kept, and the first reading ends before that layer's attention is computed, which the
    ranking does not need.

    Source: Shi et al. 2024, https://arxiv.org/abs/2409.17422 (GemFilter).
    """

    select_layer: int | None = None  # whose ranking decides; None: half the layers less one
    first_scored: int = 0  # the ranking at ``select_layer`` reads no layer before this one; ``settled`` fills it in

    def settled(self, heuristic: Heuristic, layers: ModelLayers) -> Self:
        """The engine with its layer; raises ValueError for one the model lacks, or a heuristic that ranks after an answer."""
        if heuristic.needs.answer:
            raise ValueError(
                f"{type(heuristic).__name__} has no ranking of a layer's own, which the restart engine needs"
            )
        select_layer = layers.select_layer(self.select_layer)
        first = layers.first_read(select_layer, heuristic.layers_combined())
        return replace(self, select_layer=select_layer, first_scored=first)

    def prefill(self, job: Job) -> Prefilled:
        """As ``Engine.prefill``; the answer's first token stands at position ``kept``."""
        heuristic, device = job.driver, job.device
        choosing = Stopwatch(device, exact=job.clock)
        rows: list[Tensor] = []

        def visit(layer: AttentionLayer) -> None:
            if layer.index >= self.first_scored:
                with choosing:
                    rows.append(heuristic.score(layer).to(device))

        read_up_to(
            job.model,
            job.input_ids,
            settled_layer(self.select_layer),
            visit,
            shared_rows=heuristic.needs.window,
            with_calls=heuristic.needs.call,
        )
        with choosing:
            scores = heuristic.combine(torch.stack(rows))[-1]
            places = best_and_window(scores, len(job.input_ids), job.kept, self.window)
            refuse_nan([scores], self.window)
        run = PrunedRun(job.model, job.input_ids.to(device)[places], room=job.room)
        return finished(run, run.prefill(), places, job.kept, choosing.seconds)
