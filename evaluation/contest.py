"""All contestants on one prompt at all keep rates: their prefills, what the answer loses in each, and their own answers."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from tokenrank.capture.cache import allocated_bytes
from tokenrank.capture.rows import Rows
from tokenrank.capture.together import can_run_together, decode_together, follow
from tokenrank.evaluation.failures import OUT_OF_MEMORY, failure
from tokenrank.evaluation.shared_prompt import SharedPrompt
from tokenrank.metrics.answer_loss import FullAnswer
from tokenrank.prefill.contestant import Contestant
from tokenrank.prefill.engine import Prefilled
from tokenrank.records.schema import WHOSE_ENGINE

log = logging.getLogger("tokenrank")
Answers = Mapping[str, FullAnswer]  # prefix of the measures -> an answer under the full prefill
CACHES = 0.95  # of the model's weights and one full cache together: caches of prefills that are held at a time


@dataclass
class Entry:
    """A contestant at a keep rate, and what came of it."""

    contestant: Contestant
    rate: float  # percent
    found: dict[str, Any] = field(default_factory=dict)  # kept, kv_bytes, flops, measures of fidelity, answer_ids
    error: str | None = None

    @property
    def label(self) -> str:
        """Its name in messages."""
        return f"{self.contestant.name} at {self.rate:g} %"

    @property
    def lacked_memory(self) -> bool:
        """Whether it failed for lack of memory."""
        return (self.error or "").startswith(OUT_OF_MEMORY)

    def add(self, prefix: str, lost: Mapping[str, float]) -> None:
        """Notes what an answer loses; ``prefix`` is that of its measures."""
        self.found |= {prefix + name: value for name, value in lost.items()}


class Contest:
    """Runs entries on one prompt, as many at a time as memory holds."""

    def __init__(
        self, shared: SharedPrompt, answers: Answers, limit: int | None, memory: float, *, together: bool
    ) -> None:
        """Nothing runs yet.

        Args:
            shared: the prompt, which was read.
            answers: whose loss is measured.
            limit: tokens of each entry's own answer at most; None: none is decoded.
            memory: bytes of the caches that are held at a time; one prefill at least.
            together: decode the answers of the prefills that are held together, and feed given ones so.
        """
        self._shared, self._answers, self._limit = shared, answers, limit
        self._memory, self._together = memory, together
        self._held: list[tuple[Entry, Prefilled]] = []

    def run(
        self, contestants: Sequence[Contestant], rates: Sequence[float], advance: Callable[[], object]
    ) -> list[Entry]:
        """Every contestant at every keep rate; an entry that fails holds its error, and the others go on.

        Args:
            contestants: that rank.
            rates: keep rates in percent.
            advance: called after each prefill.

        Returns:
            By keep rate, then in the order of the contestants.
        """
        entries = [Entry(each, rate) for rate in rates for each in contestants]
        for entry in sorted(entries, key=lambda each: (each.rate, each.contestant.name.split(WHOSE_ENGINE)[0])):
            self._prefill(entry)  # entries of one ranking follow each other: they may share their later layers
            advance()
        self._finish()
        return entries

    def _prefill(self, entry: Entry) -> None:
        self._hold(entry)
        if self._held and entry.lacked_memory:
            self._finish()  # others hold memory: without them it may fit
            entry.error = None
            self._hold(entry)
        if sum(allocated_bytes(done.run.kept.cache) for _, done in self._held) >= self._memory:
            self._finish()

    def _hold(self, entry: Entry) -> None:
        with self._guarded(entry):
            done = self._shared.prefilled(entry.contestant, entry.rate)
            self._held.append((entry, done))

    def _finish(self) -> None:
        """Measures the prefills that are held, decodes from them, and lets them go."""
        self._shared.shared.forget_halves()
        entries, held = [entry for entry, _ in self._held], list(self._read_on(self._held))
        self._held = []
        again = [entry for entry in entries if entry.lacked_memory]  # it may fit alone
        if self._together and len(held) > 1 and can_run_together(held[0][1].run.model):
            together = [entry for entry, _ in held]
            try:
                self._measure_together(held)
                together = [entry for entry in together if entry.error is not None]
            except Exception as error:  # out of memory, for example
                failure(error, f"{len(held)} answers together, prompt {self._shared.prompt.id}")
            again = [*together, *again]  # what failed among others may not fail alone
            held.clear()
        while held:
            self._measure(*held.pop(0))
        for entry, done in self._again(again):  # the caches are gone
            self._measure(entry, done)
            del done  # before the next is made

    def _measure(self, entry: Entry, done: Prefilled) -> None:
        with self._guarded(entry):
            for prefix, answer in self._answers.items():
                entry.add(prefix, answer.loss_of(logits_of(done, answer.ids)))
            if self._limit is not None:
                entry.found["answer_ids"] = done.answer(self._limit)

    def _measure_together(self, held: Sequence[tuple[Entry, Prefilled]]) -> None:
        """As ``_measure`` of each, with one forward pass for all."""
        rows = Rows([done.run for _, done in held], [done.next_position for _, done in held])
        firsts = [done.logits[None] for _, done in held]
        limit = self._limit or 1
        begun = [done.job.rules.begin(done.job.model, done.job.input_ids, limit) for _, done in held]
        for prefix, answer in sorted(self._answers.items(), key=lambda each: each[0] == ""):  # last: what is followed
            rests = rows.logits_of(answer.ids[:-1]) if len(answer.ids) > 1 else enumerate(each[:0] for each in firsts)
            for row, rest in rests:
                with self._guarded(held[row][0]):
                    held[row][0].add(prefix, answer.loss_of(torch.cat([firsts[row], rest])))
                if prefix == "" and self._limit is not None:
                    follow(begun[row], firsts[row][0], answer.ids[:-1].tolist(), rest, limit)
        if self._limit is None:
            return
        answers = decode_together(rows, [each[0] for each in firsts], begun, limit)
        for (entry, _), own in zip(held, answers, strict=True):
            with self._guarded(entry):
                if isinstance(own, Exception):
                    raise own
                entry.found["answer_ids"] = own

    def _again(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Prefilled]]:
        """The prefills of these entries anew, one at a time."""
        for entry in entries:
            entry.error = None
            with self._guarded(entry):
                yield from self._read_on([(entry, self._shared.prefilled(entry.contestant, entry.rate))])
                self._shared.shared.forget_halves()

    def _read_on(self, held: Iterable[tuple[Entry, Prefilled]]) -> Iterator[tuple[Entry, Prefilled]]:
        """Those from which the answer can follow; what they hold and took is noted."""
        for entry, done in held:
            with self._guarded(entry):
                asked = self._shared.read_on(done)
                entry.found |= {"kept": asked.kept.tolist(), "kv_bytes": asked.kv_bytes(), "flops": asked.operations}
                yield entry, asked

    @contextmanager
    def _guarded(self, entry: Entry) -> Iterator[None]:
        """An error in the block becomes the entry's: the others are still worth their run."""
        try:
            yield
        except Exception as error:  # whatever it was
            entry.error = failure(error, f"{entry.label}, prompt {self._shared.prompt.id}")


def logits_of(done: Prefilled, ids: Tensor) -> Tensor:
    """(T, vocabulary) logits from which each of the (T,) answer tokens would be chosen; the prefill can then be used again."""
    first = done.logits[None]
    if len(ids) == 1:
        return first
    rest = done.run.feed(ids[:-1].cpu(), done.next_position)
    done.run.back()
    return torch.cat([first.to(rest.device), rest])


def full_answers(full: Prefilled, ids: Mapping[str, Sequence[int]]) -> Iterator[tuple[str, FullAnswer, Tensor]]:
    """(prefix, answer, its logits) of each answer under the full prefill.

    A reference answer that the full prefill cannot score, as it forbids one of its tokens, is left out with a warning.

    Raises:
        ValueError: its own answer cannot be scored.
    """
    for prefix, token_ids in ids.items():
        answer_ids = torch.tensor(token_ids)
        logits = logits_of(full, answer_ids)
        try:
            answer = FullAnswer.of(logits, answer_ids)
        except ValueError as error:
            if not prefix:
                raise
            log.warning("nothing is measured of a reference answer: %s", error)
            continue
        yield prefix, answer, logits
