"""A process that holds a model and measures the units that it is told by number: of executor=local with several, and of executor=ray."""

import logging
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from tokenrank.evaluation.plan import Plan, Unit
from tokenrank.planning.making import make_plan
from tokenrank.records.run_folder import RunFolder
from tokenrank.work.loading import load_model
from tokenrank.work.loop import do

log = logging.getLogger("tokenrank")
Message = dict[str, Any]  # of the log: level, text and traceback, ready for JSON


@dataclass(frozen=True)
class Job:
    """What a worker must know of a run; ready for JSON."""

    config: str  # YAML, resolved
    keys: Mapping[str, str]  # name of each unit that it may be told to measure -> key
    key_fields: Mapping[str, Any]  # of the first of them
    threads: int  # CPU threads of torch

    @staticmethod
    def of(plan: Plan, todo: Sequence[Unit], threads: int) -> "Job":
        """The job of measuring some of a plan's units."""
        keys = {unit.name: unit.key for unit in todo}
        return Job(OmegaConf.to_yaml(plan.config, resolve=True), keys, dict(todo[0].key_fields), threads)


class Worker:
    """A plan and its model in this process."""

    def __init__(self, job: Job) -> None:
        """Makes the plan, which must have the driver's units, and loads the model.

        Raises:
            ValueError: as for ``make_plan`` and ``load_model``, or what this machine has installed or finds differs from the driver's.
        """
        torch.set_num_threads(job.threads)
        self._plan = make_plan(DictConfig(OmegaConf.create(job.config)))
        check_same(self._plan, job)
        self._model = load_model(self._plan)

    def measure(self, number: int, folder: RunFolder) -> list[Message]:
        """Writes what a unit leaves into a folder; returns the messages of the log."""
        with messages_kept() as messages:
            do(self._plan, self._model, self._plan.units[number], folder, lambda _: None)
        return messages


def check_same(plan: Plan, job: Job) -> None:
    """Raises ValueError if the plan of this machine has other units than the driver's, by name or key; says what differs."""
    keys = {unit.name: unit.key for unit in plan.units}
    other = [name for name, key in job.keys.items() if keys.get(name) != key]
    if not other:
        return
    here = next((unit.key_fields for unit in plan.units if unit.name == next(iter(job.keys))), {})
    differing = [name for name in job.key_fields if here.get(name) != job.key_fields[name]]
    what = f"{', '.join(differing)} differ" if differing else f"prompt {other[0]} differs"
    raise ValueError(
        f"{platform.node()} would measure other things than the process that started the run ({what}): install the same versions "
        "there, and give it the same files and kind of device"
    )


@contextmanager
def messages_kept() -> Iterator[list[Message]]:
    """A list to which the log's messages are appended inside the block, for ``say`` in another process."""
    handler = _Keeping()
    before = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    try:
        yield handler.messages
    finally:
        log.removeHandler(handler)
        log.level, log.propagate = before


def say(messages: Sequence[Message]) -> None:
    """Logs another process's messages here."""
    for message in messages:
        log.handle(logging.makeLogRecord({"name": log.name, **message}))


class _Keeping(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []

    def emit(self, record: logging.LogRecord) -> None:
        traceback = logging.Formatter().formatException(record.exc_info) if record.exc_info else None
        level = {"levelno": record.levelno, "levelname": record.levelname}
        self.messages.append(level | {"msg": record.getMessage(), "exc_text": traceback})
