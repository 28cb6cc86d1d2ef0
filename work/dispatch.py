"""Gives units to workers in other processes, one at a time each; a unit whose worker dies is done again."""

import logging
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import ClassVar

from tokenrank.evaluation.plan import Plan, Unit
from tokenrank.records.run_folder import RunFolder
from tokenrank.work.loading import NotLoaded
from tokenrank.work.loop import done_since, failed_record, stamp, token_bar, tokens_of_units
from tokenrank.work.worker import Message, say

POLL = 2.0  # seconds between two looks at units that other runs measure
log = logging.getLogger("tokenrank")


@dataclass(frozen=True)
class Ready:
    """A worker has loaded its model."""


@dataclass(frozen=True)
class Done:
    """A worker has measured its unit, and what it left is in the run folder."""

    messages: list[Message] = field(default_factory=list)


@dataclass(frozen=True)
class Stopped:
    """A worker said why it cannot go on."""

    reason: str


@dataclass(frozen=True)
class Died:
    """A worker's process ended without a word."""

    how: str  # "ended with signal 9"


Event = Ready | Done | Stopped | Died


class Workers(ABC):
    """Processes that measure units, by place: 0 to ``size`` - 1."""

    tries: ClassVar[int]  # a unit during which this many processes died has failed
    size: int

    @abstractmethod
    def start(self, place: int) -> None:
        """Starts the process of a place, for the first time or after it died. Its first event is Ready, Stopped or Died."""

    @abstractmethod
    def give(self, place: int, unit: Unit) -> None:
        """Lets a ready process measure a unit. Its next event is Done, Stopped or Died."""

    @abstractmethod
    def next_event(self, timeout: float | None) -> tuple[int, Event] | None:
        """Waits for the next event; returns its place too. None if there is none within ``timeout`` seconds.

        After Stopped or Died a place has no event until it is started again; a process may also die while it has nothing to do.
        """

    @abstractmethod
    def close(self) -> None:
        """Ends all processes, also in the middle of a unit."""


class Dispatch:
    """The state of one ``run``."""

    def __init__(self, workers: Workers, plan: Plan, todo: Sequence[Unit], folder: RunFolder) -> None:
        self._workers, self._plan, self._folder = workers, plan, folder
        self._waiting = deque(todo)
        self._before = {unit.name: stamp(folder.record_file(unit.name)) for unit in todo}
        self._deaths = Counter[str]()  # by unit
        self._loaded = False  # some process has loaded the model
        self._starting, self._idle = set[int](), list[int]()
        self._measuring: dict[int, Unit] = {}
        self._claims: dict[str, ExitStack] = {}  # by unit

    def run(self) -> None:
        """Every unit has a record when it returns.

        Raises:
            NotLoaded: no process could load the model.
            OSError: a process could not write what it measured, or none could be started again.
        """
        count, rounds = len(self._waiting), self._plan.evaluation.rounds(self._plan)
        total = tokens_of_units(self._waiting) * rounds
        try:
            with token_bar(self._waiting, rounds) as bar:
                for place in range(min(self._workers.size, count)):
                    self._start(place)
                while self._waiting or self._measuring:
                    left = [*self._waiting, *self._measuring.values()]
                    bar.set_description(f"{count - len(left)} of {count} prompts")
                    bar.update(total - tokens_of_units(left) * rounds - bar.n)
                    self._step()
                bar.set_description(f"{count} of {count} prompts")
                bar.update(total - bar.n)
        finally:
            self._workers.close()
            for claim in self._claims.values():
                claim.close()

    def _step(self) -> None:
        """Waits for an event and acts on it, then gives units to processes that have none."""
        event = self._workers.next_event(POLL if self._idle and self._waiting else None)
        if event is not None:
            self._act(*event)
        for _ in range(len(self._waiting)):
            if not self._idle:
                break
            self._give(self._waiting.popleft())

    def _act(self, place: int, event: Event) -> None:
        unit = self._measuring.pop(place, None)
        starting = place in self._starting
        self._starting.discard(place)
        match event:
            case Ready():
                self._loaded = True
                self._idle.append(place)
            case Done(messages):
                say(messages)
                self._idle.append(place)
                self._release(unit)
            case Stopped(reason) | Died(reason) if starting:
                self._without(place, reason)
            case Stopped(reason):
                raise OSError(reason)
            case Died(how):
                if unit is not None:
                    self._lost(unit, how)
                else:
                    self._idle.remove(place)
                if len(self._waiting) > len(self._idle):
                    self._start(place)

    def _start(self, place: int) -> None:
        self._starting.add(place)
        self._workers.start(place)

    def _give(self, unit: Unit) -> None:
        """Lets an idle process measure a unit, unless another run has measured it meanwhile, or is about to: then it waits."""
        if unit.name not in self._claims:
            claim = ExitStack()
            if not claim.enter_context(self._folder.claimed(unit.name)):
                self._waiting.append(unit)
                return
            self._claims[unit.name] = claim
        if done_since(unit, self._folder, self._before[unit.name]):
            self._release(unit)
            return
        place = self._idle.pop()
        self._measuring[place] = unit
        self._workers.give(place, unit)

    def _release(self, unit: Unit | None) -> None:
        if unit is not None:
            self._claims.pop(unit.name).close()

    def _without(self, place: int, reason: str) -> None:
        """Goes on without a place whose process cannot start, unless it was the last."""
        if self._starting or self._measuring or self._idle:
            log.warning("going on without process %d: %s", place, reason)
        elif self._loaded:
            raise OSError(f"no process is left, and a new one could not start: {reason}")
        else:
            raise NotLoaded(reason)

    def _lost(self, unit: Unit, how: str) -> None:
        """Lets a unit whose process died be measured again; too often, and it has failed."""
        self._deaths[unit.name] += 1
        if self._deaths[unit.name] < self._workers.tries:
            log.warning("the process that measured prompt %s %s: it is measured again", unit.name, how)
            self._waiting.append(unit)
            return
        reason = f"{self._workers.tries} processes that measured it died, one after the other; the last {how}"
        log.error("prompt %s failed: %s", unit.name, reason)
        self._folder.write_record(failed_record(self._plan, unit, reason))
        self._release(unit)
