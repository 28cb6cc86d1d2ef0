"""What the answer to one of the plan's prompts loses without tokens: stored, or computed by passes over the answer."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

from torch import Tensor
from transformers import PreTrainedModel

from tokenrank.capture.answer_passes import AnswerPasses
from tokenrank.evaluation.answer_losses import AnswerLosses, all_hidden
from tokenrank.evaluation.scoring import Known, Ranked, rank
from tokenrank.oracle.oracle import Answer
from tokenrank.records.store import LOSSES
from tokenrank.tasks.task import Prompt

if TYPE_CHECKING:
    from tokenrank.evaluation.plan import Plan


@dataclass(frozen=True)
class Hides:
    """What is hidden from a prompt's answer whatever a ranking says, and whether rankings hide more."""

    universe: range  # positions of the ranked tokens
    masks: Tensor | None  # (masks, ranked tokens) bool: those that random masks leave; None: no metric asks for them
    context: range | None  # all of it, ranked or not; None: the prompt has none
    by_rankings: (
        bool  # a metric asks what the answer loses without the tokens that a ranking has first, or with them alone
    )

    def lack(self, plan: "Plan", prompt: Prompt, answer: Answer, reads: bool) -> bool:
        """Whether passes over the answer will be needed; where rankings alone decide it, only if the prompt is read in any case.

        Args:
            plan: says which store.
            prompt: of the plan.
            answer: to it.
            reads: whether the prompt is read, for rankings or truths that are not stored.
        """
        if self.by_rankings and reads:
            return True
        fixed = (each for each in (self.by_masks, self.without_context) if each is not None)
        entries = (plan.parts.losses(prompt, answer, *each) for each in fixed)
        return any(plan.store.get(LOSSES, fields) is None for fields in entries)

    @property
    def by_masks(self) -> tuple[range, Tensor] | None:
        """The ranked tokens and what random masks leave of them, as ``AnswerLosses.of`` takes them; None: as ``masks``."""
        return None if self.masks is None else (self.universe, self.masks)

    @property
    def without_context(self) -> tuple[range, Tensor] | None:
        """The context, and a pass that sees nothing of it; None: as ``context``."""
        return None if self.context is None else (self.context, all_hidden(self.context))


@dataclass(frozen=True)
class StoredLosses:
    """Losses of the answer to one of the plan's prompts."""

    plan: "Plan"
    model: PreTrainedModel
    prompt: Prompt
    ranked: Ranked  # with its passes, if these were kept

    @cached_property
    def _computed(self) -> AnswerLosses:
        return AnswerLosses(self.ranked.passes or self._read_again())

    def of(self, places: range, visible: Tensor) -> Tensor:
        """``AnswerLosses.of``, which is not stored; the prompt is read again where its reading left nothing for passes."""
        return self._computed.of(places, visible)

    def stored(self, places: range, visible: Tensor) -> Tensor:
        """The same, from the store where it has it; else it is put there."""
        fields = self.plan.parts.losses(self.prompt, self.ranked.answer, places, visible)
        found = self.plan.store.get(LOSSES, fields)
        if found is not None:
            return found["loss"]
        loss = self.of(places, visible)
        self.plan.store.put(LOSSES, fields, {"loss": loss})
        return loss

    def _read_again(self) -> AnswerPasses:
        known = Known(self.ranked.ahead_ids, {name: self.ranked.truths[name] for name in self.plan.oracles})
        given = self.plan.given_answer(self.prompt)
        again = rank(self.model, self.prompt, {}, self.plan.oracles, given, known, passes=True)
        return cast("AnswerPasses", again.passes)
