"""Speculative prefill: a draft model ranks the tokens, the model reads only the best."""

from dataclasses import dataclass
from typing import ClassVar, Self

from tokenrank.capture.model_layers import ModelLayers
from tokenrank.capture.pruning import PrunedRun
from tokenrank.capture.stopwatch import Stopwatch
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.prefill.engine import Engine, Job, Prefilled, finished
from tokenrank.prefill.kept_tokens import best_and_window, refuse_nan


@dataclass(frozen=True)
class Draft(Engine):
    """The kept tokens are read at their original positions; no layer sees the others.

    All of the draft's time counts as choosing. Source: Liu et al. 2025, https://arxiv.org/abs/2502.02789.
    """

    kind: ClassVar[str] = "draft"

    def resolved(self, heuristic: Heuristic, layers: ModelLayers) -> Self:  # noqa: ARG002
        """The engine itself; raises ValueError for a heuristic that ranks layer by layer."""
        if not heuristic.needs.answer:
            raise ValueError(
                f"{type(heuristic).__name__} ranks what the model has read; the draft engine needs a heuristic that "
                "ranks before, such as speculative"
            )
        return self

    def prefill(self, job: Job) -> Prefilled:
        """As ``Engine.prefill``; the answer's first token has the position after the whole prompt."""
        device = job.device
        choosing = Stopwatch(device, exact=job.clock)
        with choosing:
            scores = job.ranker.draft_scores(job.model, job.input_ids).to(device)
            places = best_and_window(scores, len(job.input_ids), job.kept, self.window)
            refuse_nan([scores], self.window)
        ids = job.input_ids.to(device)[places]
        run = PrunedRun(job.model, ids, answer_tokens=job.answer_tokens, positions=places)
        return finished(job, run, run.prefill(), places, len(job.input_ids), choosing.seconds)
