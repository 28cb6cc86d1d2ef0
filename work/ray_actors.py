"""Workers that are Ray actors. They send back the files of a unit, and the driver writes them: nodes need no shared disk."""

import platform
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import ray

from tokenrank.evaluation.plan import Unit
from tokenrank.records.files import whole_file
from tokenrank.records.run_folder import RunFolder
from tokenrank.work.dispatch import Died, Done, Event, Ready, Stopped, Workers
from tokenrank.work.worker import Job, Message, Worker

POLL = 1.0  # seconds


@dataclass(frozen=True)
class Left:
    """What a unit left on a node."""

    files: dict[str, bytes]  # path in the run folder -> content
    messages: list[Message]


class Actor:
    """A worker on some node. Its methods return what went wrong, as a ``Stopped``, and raise nothing."""

    def placed(self) -> str:
        """Name of the node. It answers at once: the actor has the processors and GPUs that it asked for."""
        return platform.node()

    def load(self, job: Job) -> Ready | Stopped:
        """Makes the plan and loads the model."""
        try:
            self._worker = Worker(job)
        except Exception as error:
            return Stopped(str(error) or type(error).__name__)
        return Ready()

    def measure(self, number: int) -> Left | Stopped:
        """Measures a unit."""
        try:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                messages = self._worker.measure(number, RunFolder(folder))
                found = [file for file in sorted(folder.rglob("*")) if file.is_file()]
                return Left({file.relative_to(folder).as_posix(): file.read_bytes() for file in found}, messages)
        except Exception as error:
            return Stopped(f"{platform.node()}: {error}")


@dataclass
class _Call:
    place: int
    placing: bool = False
    since: float = field(default_factory=time.monotonic)

    def seconds(self) -> float:
        """How long it has been waiting."""
        return time.monotonic() - self.since


class Actors(Workers):
    """Actors of a cluster to which this process is connected."""

    tries: ClassVar[int] = 3

    def __init__(self, size: int, job: Job, folder: RunFolder, options: dict[str, Any], start_seconds: float) -> None:
        """Starts nothing yet.

        Args:
            size: how many.
            job: of each.
            folder: of the run.
            options: of each actor: ``num_cpus``, ``num_gpus``.
            start_seconds: how long an actor may wait for a node that has room for it.
        """
        self.size = size
        self._job, self._folder, self._options, self._start_seconds = job, folder, options, start_seconds
        self._actors: dict[int, Any] = {}
        self._calls: dict[Any, _Call] = {}  # by reference of the result

    def start(self, place: int) -> None:
        """Asks for an actor."""
        self._actors[place] = ray.remote(Actor).options(**self._options).remote()
        self._calls[self._actors[place].placed.remote()] = _Call(place, placing=True)

    def give(self, place: int, unit: Unit) -> None:
        """Lets the actor measure the unit."""
        self._calls[self._actors[place].measure.remote(unit.number)] = _Call(place)

    def next_event(self, timeout: float | None) -> tuple[int, Event] | None:
        """The next answer of any actor, its death, or that no node had room for it."""
        until = float("inf") if timeout is None else time.monotonic() + timeout
        while time.monotonic() < until:
            if not self._calls:  # all are idle
                time.sleep(POLL)
                continue
            answered, _ = ray.wait(list(self._calls), num_returns=1, timeout=POLL)
            for reference in answered:
                call = self._calls.pop(reference)
                event = self._event(call, reference)
                if event is not None:
                    return call.place, event
            late = [each for each, call in self._calls.items() if call.placing and call.seconds() > self._start_seconds]
            for reference in late:
                place = self._calls.pop(reference).place
                ray.kill(self._actors.pop(place))
                wanted = ", ".join(f"{name}={value:g}" for name, value in self._options.items())
                return place, Stopped(
                    f"no node had room for an actor with {wanted} within {self._start_seconds:g} s (executor.start_seconds): "
                    "the cluster is busy with other work"
                )
        return None

    def close(self) -> None:
        """Ends the actors."""
        for actor in self._actors.values():
            ray.kill(actor)
        self._actors.clear()

    def _event(self, call: _Call, reference: Any) -> Event | None:
        """What an answer means; None for an actor that has a node now and goes on loading its model."""
        try:
            answer = ray.get(reference)
        except ray.exceptions.RayError as error:
            ray.kill(self._actors.pop(call.place))
            return Died(f"died ({type(error).__name__})")
        if isinstance(answer, Left):
            for name, content in sorted(answer.files.items(), key=lambda each: each[0].startswith("records/")):
                with whole_file(self._folder.path / name) as temporary:
                    temporary.write_bytes(content)
            return Done(answer.messages)
        if call.placing:
            self._calls[self._actors[call.place].load.remote(self._job)] = _Call(call.place)
            return None
        return answer  # type: ignore[no-any-return]
