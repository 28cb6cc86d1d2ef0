"""What every evaluation provides: a check of the plan, the measurement of a unit, and the summary of all units."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd
from torch import Tensor
from transformers import PreTrainedModel

if TYPE_CHECKING:
    from tokenrank.evaluation.plan import Plan, Unit

Row = dict[str, Any]  # column -> value
Advance = Callable[[int], object]


@dataclass(frozen=True)
class Measurement:
    """What was measured of one unit."""

    sample: Row  # columns of its row of samples.parquet; ``error`` where a contestant or a metric failed
    rows: list[Row]  # as records.schema.MEASURED, without model, task and sample
    runs: list[Row] = field(default_factory=list)  # as records.schema.RUNS, without task and sample
    rankings: Mapping[str, Tensor] | None = None  # tensors that save_rankings writes


class Evaluation(ABC):
    """What a run measures. Its fields are its settings, all of them checked without weights."""

    kind: ClassVar[str]  # its name: ranking, accuracy, ttft
    summary_settings: ClassVar[
        tuple[str, ...]
    ] = ()  # fields that only ``summarize`` reads: records do not depend on them
    timed: ClassVar[bool] = False  # true: its results are times, which other processes on the machine would spoil
    runs_engines: ClassVar[bool] = False  # true: contestants are engines at several keep rates
    adds_controls: ClassVar[bool] = False  # true: the oracle and random are added to the chosen heuristics

    def check(self, plan: "Plan") -> None:  # noqa: B027 - planning has checked what most need
        """Raises ValueError, with one sentence, if this plan cannot be measured."""

    def rounds(self, plan: "Plan") -> int:  # noqa: ARG002
        """How many times each prompt is read, for the progress bar."""
        return 1

    @abstractmethod
    def measure(self, plan: "Plan", model: PreTrainedModel, unit: "Unit", advance: Advance) -> Measurement:
        """Measures one unit. What a single contestant raises is recorded and the others go on; all else is raised.

        Args:
            plan: what is run.
            model: loaded.
            unit: one of the plan's.
            advance: called with a number of tokens whenever that many were read, ``rounds`` times the prompt's in all.
        """

    @abstractmethod
    def summarize(self, measured: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
        """The rows of summary.parquet, from all records.

        Args:
            measured: as records.schema.MEASURED, of all records in the order of the plan.
            runs: as records.schema.RUNS.

        Returns:
            As records.schema.SUMMARY. The same input gives the same table.
        """


def reason(error: BaseException) -> str:
    """The text of an error in tables."""
    return f"{type(error).__name__}: {error}"
