"""Workers that are processes on this machine. They read numbers of units on stdin and write events to stdout, a line of JSON each."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from tokenrank.evaluation.plan import Unit
from tokenrank.records.run_folder import RunFolder
from tokenrank.work.dispatch import Died, Done, Event, Ready, Stopped, Workers
from tokenrank.work.worker import Job, Worker


class Processes(Workers):
    """Processes that write into the run folder themselves."""

    tries: ClassVar[int] = 2

    def __init__(self, size: int, job: Job, folder: RunFolder, environment: Callable[[int], Mapping[str, str]]) -> None:
        """Starts nothing yet.

        Args:
            size: how many.
            job: of each.
            folder: of the run.
            environment: variables for the process of a place, beside this process's own.
        """
        self.size = size
        self._job = json.dumps(asdict(job) | {"folder": str(folder.path.absolute())})
        self._environment = environment
        self._running: dict[int, tuple[subprocess.Popen[str], threading.Thread]] = {}
        self._events = queue.Queue[tuple[int, Event]]()

    def start(self, place: int) -> None:
        """In a session of its own, so that Ctrl-C reaches this process alone, which ends the others."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tokenrank.work.processes"],
            env={**os.environ, "PYTHONPATH": import_path(), **self._environment(place)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        listening = threading.Thread(target=self._listen, args=(place, process), daemon=True)
        self._running[place] = process, listening
        listening.start()
        self._send(place, self._job)

    def give(self, place: int, unit: Unit) -> None:
        """Sends the unit's number."""
        self._send(place, str(unit.number))

    def next_event(self, timeout: float | None) -> tuple[int, Event] | None:
        """The next line of any process, or its end."""
        try:
            return self._events.get(timeout=timeout)
        except queue.Empty:
            return None

    def close(self) -> None:
        """Kills them: records are written whole or not at all."""
        for process, _ in self._running.values():
            process.kill()
        for _, listening in self._running.values():
            listening.join()

    def _send(self, place: int, line: str) -> None:
        pipe = self._running[place][0].stdin
        if pipe is not None:  # it is one
            with suppress(OSError, ValueError):  # it has died: its end is the next event
                pipe.write(line + "\n")
                pipe.flush()

    def _listen(self, place: int, process: subprocess.Popen[str]) -> None:
        """Passes on what a process writes, until it ends."""
        event: Event = Ready()
        with suppress(BrokenPipeError), process:  # closes its pipes; what it was told last may not have reached it
            for line in process.stdout or ():
                event = event_of(line)
                self._events.put((place, event))
        if not isinstance(event, Stopped):  # it has said why it ends
            self._events.put((place, Died(ending(process.wait()))))


def import_path() -> str:
    """PYTHONPATH of processes on this machine, which find the same modules as this one, the user's own heuristics among them."""
    package = find_spec("tokenrank")
    source = [] if package is None else [str(Path(str(package.origin)).parent.parent)]
    return os.pathsep.join(str(Path(each).absolute()) for each in [*source, *sys.path])


def ending(code: int) -> str:
    """How a process ended, from its exit code.

    >>> ending(-9)
    'was killed by SIGKILL (out of memory?)'
    """
    if code >= 0:
        return f"ended with code {code}"
    name = signal.Signals(-code).name
    return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")


def event_of(line: str) -> Event:
    """The event that a process wrote as a line."""
    kind, content = json.loads(line)
    kinds: dict[str, Callable[..., Event]] = {"ready": Ready, "done": Done, "stopped": Stopped}
    return kinds[kind](**content)


def serve() -> None:
    """The work of such a process, until its stdin ends: that of a process that was killed ends too."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)  # what libraries print is no event

        def tell(kind: str, **content: object) -> None:
            out.write(json.dumps([kind, content]) + "\n")
            out.flush()

        job = json.loads(sys.stdin.readline())
        folder = RunFolder(Path(job.pop("folder")))
        numbers = queue.Queue[int]()
        threading.Thread(target=_read, args=(numbers,), daemon=True).start()
        try:
            worker = Worker(Job(**job))
            tell("ready")
            while True:
                tell("done", messages=worker.measure(numbers.get(), folder))
        except Exception as error:
            tell("stopped", reason=str(error) or type(error).__name__)


def _read(numbers: "queue.Queue[int]") -> None:
    """Passes on the numbers of stdin; at its end the process ends at once, also in the middle of a unit."""
    for line in sys.stdin:
        numbers.put(int(line))
    os._exit(1)


if __name__ == "__main__":
    serve()
