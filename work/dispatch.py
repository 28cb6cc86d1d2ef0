"""Gives units to workers in other processes, one at a time each; a unit whose worker dies is done again."""

import logging
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from tqdm import tqdm

from tokenrank.evaluation.plan import Plan, Unit
from tokenrank.records.run_folder import RunFolder
from tokenrank.work.loop import failed_record
from tokenrank.work.worker import Message, say

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
    def next_event(self) -> tuple[int, Event]:
        """Waits for the next event; returns its place too."""

    @abstractmethod
    def close(self) -> None:
        """Ends all processes, also in the middle of a unit."""


class Dispatch:
    """The state of one ``run``."""

    def __init__(self, workers: Workers, plan: Plan, todo: Sequence[Unit], folder: RunFolder) -> None:
        self._workers, self._plan, self._folder = workers, plan, folder
        self._waiting = deque(todo)
        self._deaths = Counter[str]()  # by unit
        self._starting, self._idle = set[int](), list[int]()
        self._measuring: dict[int, Unit] = {}

    def run(self) -> None:
        """Every unit has a record when it returns.

        Raises:
            ValueError: no process could be started, or none could be started again.
            OSError: a process could not write what it measured.
        """
        rounds = self._plan.evaluation.rounds(self._plan)
        total = sum(len(unit.prompt.input_ids) for unit in self._waiting) * rounds
        count = len(self._waiting)
        try:
            with tqdm(total=total, unit=" tokens", unit_scale=True, smoothing=0.1, dynamic_ncols=True) as bar:
                for place in range(min(self._workers.size, count)):
                    self._start(place)
                while self._waiting or self._measuring:
                    bar.set_description(f"{count - len(self._waiting) - len(self._measuring)} of {count} prompts")
                    finished = self._handle(*self._workers.next_event())
                    bar.update(0 if finished is None else len(finished.prompt.input_ids) * rounds)
                bar.set_description(f"{count} of {count} prompts")
        finally:
            self._workers.close()

    def _handle(self, place: int, event: Event) -> Unit | None:
        """Acts on an event; returns the unit that it finished, if one."""
        unit = self._measuring.pop(place, None)
        starting = place in self._starting
        self._starting.discard(place)
        finished = None
        match event:
            case Done(messages):
                say(messages)
                finished = unit
            case Stopped(reason) if not starting:
                raise OSError(reason)
            case Stopped(reason) | Died(reason) if starting:
                self._without(place, reason)
                return None
            case Died(how):
                finished = self._lost(unit, how)
                self._idle = [each for each in self._idle if each != place]
                if self._waiting:
                    self._start(place)
        if isinstance(event, (Ready, Done)):
            self._idle.append(place)
        while self._idle and self._waiting:
            self._give(self._idle.pop(), self._waiting.popleft())
        return finished

    def _start(self, place: int) -> None:
        self._starting.add(place)
        self._workers.start(place)

    def _give(self, place: int, unit: Unit) -> None:
        self._measuring[place] = unit
        self._workers.give(place, unit)

    def _without(self, place: int, reason: str) -> None:
        """Goes on without a place whose process cannot start, unless it was the last."""
        if not (self._starting or self._measuring or self._idle):
            raise ValueError(reason)
        log.warning("going on without process %d: %s", place, reason)

    def _lost(self, unit: Unit | None, how: str) -> Unit | None:
        """Lets a unit whose process died be measured again; too often, and it has failed and is returned."""
        if unit is None:
            log.warning("a process that was measuring nothing %s", how)
            return None
        self._deaths[unit.name] += 1
        if self._deaths[unit.name] < self._workers.tries:
            log.warning("the process that measured prompt %s %s: it is measured again", unit.name, how)
            self._waiting.append(unit)
            return None
        reason = f"{self._workers.tries} processes in turn that measured it died; the last {how}"
        log.error("prompt %s failed: %s", unit.name, reason)
        self._folder.write_record(failed_record(self._plan, unit, reason))
        return unit
