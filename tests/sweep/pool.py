"""Jobs in processes of their own, a few at a time, each with a limit of time and memory: none can stop the others."""

import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")
FORKS = multiprocessing.get_context("fork")  # what the parent has imported is there at once


@dataclass
class _Running(Generic[Job]):
    job: Job
    process: Any
    until: float  # seconds of time.monotonic()


def in_processes(
    work: Callable[[Job], Result], jobs: Sequence[Job], *, workers: int, seconds: float, gigabytes: int
) -> Iterator[tuple[Job, Result | str]]:
    """Each job with its result, or with what ended its process, in the order in which they end.

    Args:
        work: called in a process of its own; what it returns must be picklable.
        jobs: its arguments.
        workers: processes at a time.
        seconds: a process is killed after so long.
        gigabytes: of address space, at most.
    """
    waiting, running = list(jobs), dict[Connection, _Running[Job]]()
    while waiting or running:
        while waiting and len(running) < workers:
            job, (receiver, sender) = waiting.pop(0), FORKS.Pipe(duplex=False)
            process = FORKS.Process(target=_child, args=(work, job, sender, gigabytes))
            process.start()
            sender.close()
            running[receiver] = _Running(job, process, time.monotonic() + seconds)
        ready = wait(list(running), timeout=0.2)
        now = time.monotonic()
        for receiver in [each for each in running if each in ready or running[each].until < now]:
            done = running.pop(receiver)
            yield done.job, _result(receiver, done, seconds, in_time=receiver in ready)


def _result(receiver: Connection, done: _Running[Any], seconds: float, *, in_time: bool) -> Any:
    if not in_time:
        done.process.kill()
    try:
        result = receiver.recv() if in_time else f"it took longer than {seconds:.0f} seconds"
    except EOFError:
        done.process.join()
        result = f"its process ended with exit code {done.process.exitcode}"
    done.process.join()
    receiver.close()
    return result


def _child(work: Callable[[Any], Any], job: Any, sender: Connection, gigabytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (gigabytes << 30, gigabytes << 30))
    sender.send(work(job))
