"""The scores that decide what an engine keeps of a prompt, gathered as its layers pass; the same for every keep rate."""

import torch
from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.operations import counted
from tokenrank.capture.shared_prefill import LayerReader
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.prefill.engine import Job, NothingRead
from tokenrank.prefill.kept_tokens import best_and_protected, refuse_count, refuse_nan


class LayerScores(LayerReader):
    """Scores of one heuristic at the layers that an engine reads."""

    def __init__(
        self, heuristic: Heuristic, device: torch.device, first: int, last: int, heads_from: int | None = None
    ) -> None:
        """Nothing is scored yet.

        Args:
            heuristic: that ranks layer by layer.
            device: where scores are gathered.
            first: the first layer that the ranking at ``last`` reads.
            last: the layer whose ranking decides; later ones are not read.
            heads_from: the first layer that is scored for each key head; None: no layer is.
        """
        self.heuristic, self.needs = heuristic, heuristic.needs
        self.heads: dict[int, Tensor] = {}  # layer -> (key heads, tokens)
        self._device, self._first, self._last, self._heads_from = device, first, last, heads_from
        self._rows: list[Tensor] = []  # (tokens,) each
        self._combined: Tensor | None = None

    def visit(self, layer: AttentionLayer) -> None:
        """Scores a layer, if it is one of those."""
        if layer.index > self._last:
            return
        if layer.index >= self._first:
            self._rows.append(self.heuristic.score(layer).to(self._device))
        if self._heads_from is not None and layer.index >= self._heads_from:
            self.heads[layer.index] = self.heuristic.score_heads(layer)

    def combined(self) -> Tensor:
        """(tokens,) the ranking at the last layer."""
        if self._combined is None:
            with counted() as spent:
                self._combined = self.heuristic.combine(torch.stack(self._rows))[-1]
            self.operations += spent.total
        return self._combined


class DraftScores(NothingRead):
    """Scores of one heuristic that ranks before the model reads the prompt: computed when they are first asked for."""

    def __init__(self, heuristic: Heuristic) -> None:
        self.heuristic = heuristic
        self._scores: Tensor | None = None

    def scores(self, job: Job) -> Tensor:
        """(tokens,) of the job's prompt."""
        if self._scores is None:
            with counted() as spent:
                self._scores = self.heuristic.draft_scores(job.model, job.input_ids).to(job.device)
            self.operations += spent.total
        return self._scores


class Chosen:
    """Chooses by one rule for hidden states, caches and prompts, and then checks all scores that were used at once."""

    def __init__(self, job: Job, protected: Tensor) -> None:
        self._job, self._protected = job, protected
        self._used: list[Tensor] = []

    def best(self, scores: Tensor) -> Tensor:
        """(..., kept) int64 places, ascending, of the protected tokens and the best of the others by (..., tokens) scores."""
        refuse_count(scores, len(self._job.input_ids))
        self._used.append(scores)
        return best_and_protected(scores, self._job.kept, self._protected)

    def check(self) -> None:
        """Raises ValueError if a score that was used is NaN; waits for the device."""
        refuse_nan(self._used, self._protected)


def best_places(job: Job, protected: Tensor, scores: Tensor) -> Tensor:
    """(kept,) int64 places, ascending, by one ranking of the prompt; raises ValueError for a NaN, waits for the device."""
    chosen = Chosen(job, protected)
    places = chosen.best(scores)
    chosen.check()
    return places
