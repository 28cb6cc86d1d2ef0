"""Speculative prefill: a draft model ranks the tokens, the model reads only the best."""

import logging
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from tokenrank.capture.model_layers import ModelLayers
from tokenrank.capture.operations import END, counted_once
from tokenrank.capture.pruning import PrunedRun
from tokenrank.capture.shared_prefill import LayerReader, SharedPrefill
from tokenrank.capture.stopwatch import Stopwatch
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.prefill.engine import Engine, Job, Prefilled, as_read, finished
from tokenrank.prefill.scores import DraftScores, best_places

log = logging.getLogger("tokenrank")


@dataclass(frozen=True)
class Draft(Engine):
    """The kept tokens are read at their original positions; no layer sees the others.

    With ``window`` 0 the best tokens are kept and no others, as in the original. If the prompt's last token is not among them,
    the answer is read from the last one that is and continues at the position after it; the log says so.

    Controls and the oracle's scores need no draft, and rank as well. All of the draft's time counts as choosing.

    Source: Liu et al. 2025, https://arxiv.org/abs/2502.02789.
    """

    kind: ClassVar[str] = "draft"
    least_window: ClassVar[int] = 0

    def resolved(self, heuristic: Heuristic, layers: ModelLayers) -> Self:  # noqa: ARG002
        """The engine itself; raises ValueError for a heuristic that cannot rank before the prompt is read."""
        if not heuristic.ranks_before:
            raise ValueError(
                f"{type(heuristic).__name__} ranks what the model has read; the draft engine needs a heuristic that "
                "ranks before, such as speculative"
            )
        return self

    def reader(self, heuristic: Heuristic, device: torch.device) -> DraftScores:  # noqa: ARG002
        """The draft's scores; nothing of the model's own layers."""
        return DraftScores(heuristic)

    def prefill(self, job: Job) -> Prefilled:
        """As ``Engine.prefill``; the answer's first token has the position after the last token that is kept."""
        choosing = Stopwatch(job.device, exact=job.clock)
        with choosing:
            scores = job.ranker.draft_scores(job.model, job.input_ids).to(job.device)
            places = best_places(job, self.protected(job), scores)
        return replace(self._read(job, places), choosing_seconds=choosing.seconds)

    def prefill_after(self, job: Job, shared: SharedPrefill, reader: LayerReader) -> Prefilled:  # noqa: ARG002
        """As ``Engine.prefill_after``: the draft ranks once for all keep rates."""
        scores = as_read(reader, DraftScores)
        places = best_places(job, self.protected(job), scores.scores(job))
        gaps = int(places[-1]) != len(places) - 1  # windowed layers then have masks of another kind
        with counted_once(job.model, ("draft", len(places), gaps)) as marks:
            done = self._read(job, places)
        return replace(done, operations=scores.operations + marks[END])

    def _read(self, job: Job, places: Tensor) -> Prefilled:
        ids = job.input_ids.to(job.device)[places]
        run = PrunedRun(job.model, ids, answer_tokens=job.answer_tokens, positions=places)
        return finished(job, run, run.prefill(), places, self._next_position(places, len(job.input_ids)), 0.0)

    def _next_position(self, places: Tensor, tokens: int) -> int:
        """Position of the answer's first token: after the last of the kept ``places``, which a window makes the prompt's last."""
        last = tokens - 1 if self.window else int(places[-1])
        if last < tokens - 1:
            log.warning("the last kept token is number %d of %d: the answer is read from it", last, tokens)
        return last + 1
