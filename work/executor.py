"""What every executor provides: a check of the plan, and the measurement of units in this process or in others."""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence

from tokenrank.evaluation.plan import Plan, Unit
from tokenrank.records.run_folder import RunFolder


class Executor(ABC):
    """Who measures the units of a run. Its fields are its settings; none of them changes a record's values."""

    @abstractmethod
    def check(self, plan: Plan) -> None:
        """Raises ValueError, with one sentence, if it cannot measure this plan here. No weights are loaded for it."""

    @abstractmethod
    def run(self, plan: Plan, todo: Sequence[Unit], folder: RunFolder) -> None:
        """Measures units; when it returns, each of them has a record in the folder, ok or failed.

        Args:
            plan: of the run.
            todo: some of the plan's units.
            folder: of the run, begun.

        Raises:
            ValueError: the model cannot be loaded, or no process that should measure could be started.
            OSError: nothing more can be written.
        """


def check_alone(plan: Plan, setting: str) -> None:
    """Raises ValueError for an evaluation whose times would be spoilt by other processes on the same machine.

    Args:
        plan: of the run.
        setting: what asks for several processes, for the message: ``executor.processes=4``.
    """
    if plan.evaluation.timed:
        raise ValueError(
            f"{setting} measures several prompts at once, which would spoil the times of evaluation={plan.evaluation.kind}: "
            "one process measures it"
        )


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
