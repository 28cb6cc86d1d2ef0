"""Speculative prefill: a draft model says what matters, the model reads only that."""

from dataclasses import dataclass
from typing import Self

from torch import Tensor
from transformers import PreTrainedModel

from capture.pruning import PrunedRun
from capture.stopwatch import Stopwatch
from heuristics.heuristic import Heuristic
from prefill.engine import Engine, Prefilled, finished
from prefill.layers import ModelLayers
from prefill.selection import best_and_window


@dataclass(frozen=True)
class Draft(Engine):
    """The kept tokens are read at their original positions; every layer sees only them.

    All of the draft's time counts as choosing. Source: Liu et al. 2025, https://arxiv.org/abs/2502.02789.
    """

    def settled(self, heuristic: Heuristic, layers: ModelLayers) -> Self:  # noqa: ARG002
        """The engine itself; raises ValueError for a heuristic that cannot rank before the model reads."""
        if type(heuristic).draft_scores is Heuristic.draft_scores:
            raise ValueError(
                f"{type(heuristic).__name__} ranks what the model has read; the draft engine needs a heuristic that "
                "ranks before, such as speculative"
            )
        return self

    def prefill(
        self,
        model: PreTrainedModel,
        heuristic: Heuristic,
        input_ids: Tensor,
        kept: int,
        room: int,
        *,
        clock: bool = False,
    ) -> Prefilled:
        """As ``Engine.prefill``; the answer's first token stands behind the whole prompt."""
        device = next(model.get_input_embeddings().parameters()).device
        choosing = Stopwatch(device, exact=clock)
        with choosing:
            scores = heuristic.draft_scores(model, input_ids).to(device)
            places = best_and_window(scores, kept, self.window)
        run = PrunedRun(model, input_ids.to(device)[places], room=room, positions=places)
        return finished(run, run.prefill(), places, len(input_ids), choosing.seconds)
