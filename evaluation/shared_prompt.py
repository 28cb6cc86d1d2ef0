"""One prompt for all contestants: read once, then prefilled by each at each keep rate from what that reading left."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from transformers import PreTrainedModel

from tokenrank.capture.decoding import Decoding
from tokenrank.capture.feeding import input_device
from tokenrank.capture.shared_prefill import LayerReader, SharedPrefill
from tokenrank.evaluation.scores_alone import scores_of
from tokenrank.evaluation.stored import stored_rank
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.prefill.contestant import Contestant
from tokenrank.prefill.engine import Full, Job, Prefilled
from tokenrank.prefill.precomputed import Precomputed
from tokenrank.prefill.protection import WITHIN, kept_in_all, protected_places
from tokenrank.records.schema import is_bound
from tokenrank.tasks.before_question import AWARE, ranked_part
from tokenrank.tasks.task import Prompt

if TYPE_CHECKING:
    from tokenrank.evaluation.plan import Plan


NO_RULES = Decoding(frozenset())


class SharedPrompt:
    """A prompt that was read once, with its answer and truth, for all contestants that rank its tokens."""

    def __init__(
        self,
        plan: "Plan",
        model: PreTrainedModel,
        prompt: Prompt,
        protect: str,
        answer_tokens: int,
        budget: str = WITHIN,
        prompts: str = AWARE,
    ) -> None:
        """Reads the prompt, and its answer where the store does not have it.

        Args:
            plan: of the run.
            model: loaded.
            prompt: of the plan.
            protect: what always stays, as for ``protected_places``.
            answer_tokens: at most so many can be fed after a prefill.
            budget: whether that counts in the keep rate, as for ``kept_in_all``.
            prompts: ``agnostic``: what is before the question is read, ranked and pruned as a prompt of its own, and the rest follows.

        Raises:
            ValueError: as ``rank`` and ``ranked_part``.
        """
        self.prompt, self._model = prompt, model
        self._protect, self._budget = protect, budget
        self._part = ranked_part(prompt, prompts)  # that contestants rank
        self._ids = torch.tensor(self._part.input_ids)
        self._rest = torch.tensor(prompt.input_ids[len(self._ids) :], dtype=torch.int64)
        self._room = len(self._rest) + answer_tokens
        self._decoding = Decoding.of(model, ends=prompt.stop_ids, not_first=prompt.not_first_ids)
        pruned = [each for each in plan.contestants if each.heuristic is not None]
        self._readers = {each.name: self._reader(each) for each in pruned if not is_bound(each.name)}
        after = [each.engine.select_at for each in pruned]
        self.shared = SharedPrefill(
            model, list(self._readers.values()), [layer for layer in after if layer is not None]
        )
        if len(self._rest):
            self.ranked = stored_rank(plan, model, prompt, {})
            scores_of(model, self._part, {}, self.shared)
        else:
            self.ranked = stored_rank(plan, model, prompt, {}, self.shared)
        layers, truth = self.ranked.layers, self.ranked.truth.importance[:, : len(self._ids)]
        self._truth = Precomputed(dict(zip(layers, truth.expand(len(layers), -1), strict=True)))
        self._read_truth([each for each in pruned if is_bound(each.name)])

    def full(self) -> Prefilled:
        """The full prefill, from which the answer follows."""
        return self.read_on(Full().after(self._job(None, len(self._ids)), self.shared))

    def read_on(self, done: Prefilled) -> Prefilled:
        """A prefill after which the answer follows: what comes after the ranked tokens is read, if there is anything.

        Call ``shared.forget_halves()`` before, if other prefills are made after it.
        """
        return done.then(self._rest, self._decoding) if len(self._rest) else done

    def prefilled(self, contestant: Contestant, rate: float) -> Prefilled:
        """A contestant's prefill of the ranked tokens at a keep rate in percent; raises what its heuristic or engine raises."""
        heuristic = self._truth if is_bound(contestant.name) else contestant.heuristic
        protected = protected_places(self._part, contestant.engine.window, self._protect)
        kept = kept_in_all(rate, len(self._ids), len(protected), self._budget)
        job = replace(self._job(heuristic, kept), protected=protected)
        return contestant.engine.prefill_after(job, self.shared, self._readers[contestant.name])

    def _job(self, heuristic: Heuristic | None, kept: int) -> Job:
        decoding = NO_RULES if len(self._rest) else self._decoding  # no answer begins after a part of a prompt
        return Job(self._model, heuristic, self._ids, kept, self._room, decoding=decoding)

    def _reader(self, contestant: Contestant) -> LayerReader:
        return contestant.engine.reader(contestant.ranker, input_device(self._model))

    def _read_truth(self, bounds: Sequence[Contestant]) -> None:
        """The bounds' readers read the layers once the truth is known."""
        for each in bounds:
            reader = self._readers[each.name] = self._reader(replace(each, heuristic=self._truth))
            self.shared.read_by(reader)
