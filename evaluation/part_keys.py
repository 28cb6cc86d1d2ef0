"""Fields that decide the stored parts of a prompt: its answer, truth, rankings, losses of its answer and measured values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from torch import Tensor

from tokenrank.oracle.oracle import Answer
from tokenrank.records.digests import bits_digest, digest, ids_digest
from tokenrank.tasks.task import Prompt

Fields = dict[str, Any]
_of_prompt = lru_cache(maxsize=1)(ids_digest)  # every part of a prompt asks for it


@dataclass(frozen=True)
class PartKeys:
    """What decides each part beside the prompt; ready for JSON. A part's key is the digest of its fields."""

    model: Mapping[str, Any]  # identity of the weights and dtype, kind of device, versions of the packages that compute
    answer_source: str  # digest of the source files that decode an answer
    oracles: Mapping[str, Mapping[str, Any]]  # by name: settings, and the digest of source files
    heuristics: Mapping[str, Mapping[str, Any]]  # by name: settings, identity of other models, digest of source files
    metrics: Mapping[str, Any]  # settings of all metrics, and the digest of their source files
    losses_source: str  # digest of the source files that hide tokens from an answer

    def answer(self, prompt: Prompt, limit: int) -> Fields:
        """Of a generated answer that was decoded up to ``limit`` tokens."""
        own = {
            "max_new_tokens": prompt.max_new_tokens,
            "limit": limit,
            "stop_ids": list(prompt.stop_ids),
            "not_first_ids": list(prompt.not_first_ids),
        }
        return self._of(prompt) | own | {"source": self.answer_source}

    def truth(self, name: str, prompt: Prompt, answer: Answer) -> Fields:
        """Of the importance that an oracle gives the prompt's tokens for an answer, wherever that came from."""
        context = None if prompt.context is None else [prompt.context.start, prompt.context.stop]
        own = {"answer_ids": ids_digest(answer.token_ids), "context": context, "oracle": dict(self.oracles[name])}
        return self._of(prompt) | own

    def ranking(self, name: str, prompt: Prompt, ahead_ids: Sequence[int] | None) -> Fields:
        """Of a heuristic's scores.

        Args:
            name: of the heuristic.
            prompt: that it ranks.
            ahead_ids: the answer and what follows it, for a heuristic that reads these; else None.
        """
        ahead = None if ahead_ids is None else ids_digest(ahead_ids)
        return self._of(prompt) | {"ahead_ids": ahead, "heuristic": dict(self.heuristics[name])}

    def losses(self, prompt: Prompt, answer: Answer, places: range, visible: Tensor) -> Fields:
        """Of what an answer loses where some tokens of the prompt are hidden from it.

        Args:
            prompt: that was answered.
            answer: wherever it came from.
            places: positions of the tokens that are hidden in some of the passes.
            visible: (passes, places) bool.
        """
        hidden = {"places": [places.start, places.stop], "visible": bits_digest(visible.numpy())}
        return self._of(prompt) | {"answer_ids": ids_digest(answer.token_ids)} | hidden | {"source": self.losses_source}

    def values(
        self,
        ranking: Fields,
        truth: Fields,
        prompt: Prompt,
        percents: Sequence[float],
        universe: range,
        metrics: Sequence[str],
    ) -> Fields:
        """Of the values of some metrics for one ranking, which may be that of a truth, against a truth; ``metrics`` in a fixed order."""
        evidence = [[each.start, each.stop] for each in prompt.evidence]
        own = {"ranking": digest(ranking), "truth": digest(truth), "evidence": evidence}
        ranked = {"universe": [universe.start, universe.stop]}
        return (
            self._of(prompt) | own | ranked | {"k": list(percents), "metrics": dict(self.metrics), "of": list(metrics)}
        )

    def _of(self, prompt: Prompt) -> Fields:
        return dict(self.model) | {"input_ids": _of_prompt(prompt.input_ids)}
