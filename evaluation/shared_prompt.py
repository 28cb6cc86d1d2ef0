"""One prompt for all contestants: read once, then prefilled by each at each keep rate from what that reading left."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from transformers import PreTrainedModel

from tokenrank.capture.decoding import Decoding
from tokenrank.capture.feeding import input_device
from tokenrank.capture.shared_prefill import LayerReader, SharedPrefill
from tokenrank.evaluation.stored import stored_rank
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.prefill.contestant import Contestant
from tokenrank.prefill.engine import Full, Job, Prefilled
from tokenrank.prefill.precomputed import Precomputed
from tokenrank.prefill.protection import WITHIN, kept_in_all, protected_places
from tokenrank.records.schema import is_bound
from tokenrank.tasks.task import Prompt

if TYPE_CHECKING:
    from tokenrank.evaluation.plan import Plan


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
    ) -> None:
        """Reads the prompt, and its answer where the store does not have it.

        Args:
            plan: of the run.
            model: loaded.
            prompt: of the plan.
            protect: what always stays, as for ``protected_places``.
            answer_tokens: at most so many can be fed after a prefill.
            budget: whether that counts in the keep rate, as for ``kept_in_all``.

        Raises:
            ValueError: as ``rank``.
        """
        self.prompt, self._model, self._answer_tokens = prompt, model, answer_tokens
        self._protect, self._budget = protect, budget
        self._ids = torch.tensor(prompt.input_ids)
        self._decoding = Decoding.of(model, ends=prompt.stop_ids, not_first=prompt.not_first_ids)
        pruned = [each for each in plan.contestants if each.heuristic is not None]
        self._readers = {each.name: self._reader(each) for each in pruned if not is_bound(each.name)}
        after = [each.engine.select_at for each in pruned]
        self.shared = SharedPrefill(
            model, list(self._readers.values()), [layer for layer in after if layer is not None]
        )
        self.ranked = stored_rank(plan, model, prompt, {}, self.shared)
        layers, truth = self.ranked.layers, self.ranked.truth.importance
        self._truth = Precomputed(dict(zip(layers, truth.expand(len(layers), -1), strict=True)))
        self._read_truth([each for each in pruned if is_bound(each.name)])

    def full(self) -> Prefilled:
        """The full prefill."""
        return Full().after(self._job(None, len(self._ids)), self.shared)

    def prefilled(self, contestant: Contestant, rate: float) -> Prefilled:
        """A contestant's prefill at a keep rate in percent; raises what its heuristic or engine raises."""
        heuristic = self._truth if is_bound(contestant.name) else contestant.heuristic
        protected = protected_places(self.prompt, contestant.engine.window, self._protect)
        kept = kept_in_all(rate, len(self._ids), len(protected), self._budget)
        job = replace(self._job(heuristic, kept), protected=protected)
        return contestant.engine.prefill_after(job, self.shared, self._readers[contestant.name])

    def _job(self, heuristic: Heuristic | None, kept: int) -> Job:
        return Job(self._model, heuristic, self._ids, kept, self._answer_tokens, decoding=self._decoding)

    def _reader(self, contestant: Contestant) -> LayerReader:
        return contestant.engine.reader(contestant.ranker, input_device(self._model))

    def _read_truth(self, bounds: Sequence[Contestant]) -> None:
        """The bounds' readers read the layers once the truth is known."""
        for each in bounds:
            reader = self._readers[each.name] = self._reader(replace(each, heuristic=self._truth))
            self.shared.read_by(reader)
