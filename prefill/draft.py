"""Speculative prefill: a draft model ranks the tokens, the model reads only the best."""

import logging
from dataclasses import dataclass
from typing import ClassVar, Self

from torch import Tensor

from tokenrank.capture.model_layers import ModelLayers
from tokenrank.capture.pruning import PrunedRun
from tokenrank.capture.stopwatch import Stopwatch
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.prefill.engine import Engine, Job, Prefilled, finished
from tokenrank.prefill.kept_tokens import best_and_protected, refuse_count, refuse_nan

log = logging.getLogger("tokenrank")


@dataclass(frozen=True)
class Draft(Engine):
    """The kept tokens are read at their original positions; no layer sees the others.

    With ``window`` 0 the best tokens are kept and no others, as in the original. If the prompt's last token is not among them,
    the answer is read from the last one that is and continues at the position after it; the log says so.

    All of the draft's time counts as choosing. Source: Liu et al. 2025, https://arxiv.org/abs/2502.02789.
    """

    kind: ClassVar[str] = "draft"
    least_window: ClassVar[int] = 0

    def resolved(self, heuristic: Heuristic, layers: ModelLayers) -> Self:  # noqa: ARG002
        """The engine itself; raises ValueError for a heuristic that ranks layer by layer."""
        if not heuristic.needs.answer:
            raise ValueError(
                f"{type(heuristic).__name__} ranks what the model has read; the draft engine needs a heuristic that "
                "ranks before, such as speculative"
            )
        return self

    def prefill(self, job: Job) -> Prefilled:
        """As ``Engine.prefill``; the answer's first token has the position after the last token that is kept."""
        device = job.device
        choosing = Stopwatch(device, exact=job.clock)
        with choosing:
            scores = job.ranker.draft_scores(job.model, job.input_ids).to(device)
            protected = self.protected(job)
            refuse_count(scores, len(job.input_ids))
            places = best_and_protected(scores, job.kept, protected)
            refuse_nan([scores], protected)
        ids = job.input_ids.to(device)[places]
        run = PrunedRun(job.model, ids, answer_tokens=job.answer_tokens, positions=places)
        next_position = self._next_position(places, len(job.input_ids))
        return finished(job, run, run.prefill(), places, next_position, choosing.seconds)

    def _next_position(self, places: Tensor, tokens: int) -> int:
        """Position of the answer's first token: after the last of the kept ``places``, which a window makes the prompt's last."""
        last = tokens - 1 if self.window else int(places[-1])
        if last < tokens - 1:
            log.warning("the last kept token is number %d of %d: the answer is read from it", last, tokens)
        return last + 1
