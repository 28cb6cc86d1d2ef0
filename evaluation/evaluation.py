"""What every evaluation provides: a check of the plan, the measurement of a unit, and the summary of all units."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd
from torch import Tensor
from transformers import PreTrainedModel

from tokenrank.evaluation.summary import Summary, SummaryOfRows
from tokenrank.records.schema import SUMMARY, table
from tokenrank.records.token_levels import TokenLevels

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
    levels: TokenLevels | None = None  # what save_levels writes


class Evaluation(ABC):
    """What a run measures. Its fields are its settings, all of them checked without weights."""

    kind: ClassVar[str]  # its name: ranking, accuracy, ttft
    summary_settings: ClassVar[
        tuple[str, ...]
    ] = ()  # fields that only ``summary`` reads: records do not depend on them
    runs_engines: ClassVar[bool] = False  # true: contestants are engines at several keep rates
    timed: ClassVar[bool] = False  # true: it measures times, which other work on the same machine would spoil
    adds_controls: ClassVar[bool] = False  # true: each engine's bound and control are added to the chosen heuristics

    def check(self, plan: "Plan") -> None:  # noqa: B027 - planning has checked what most need
        """Raises ValueError, with one sentence, if this plan cannot be measured."""

    def idle_settings(self, against: Collection[str]) -> Collection[str]:  # noqa: ARG002
        """Names of fields that decide nothing in this run, by default none: keys of units do not depend on them.

        Args:
            against: what the run's metrics compare rankings with, of ``metrics.metric.AGAINST``.
        """
        return ()

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

    def summary(self) -> Summary:
        """Takes the records one by one and makes the rows of summary.parquet; by default from what ``summarize`` returns."""
        return SummaryOfRows(self.summarize)

    def summarize(self, measured: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:  # noqa: ARG002
        """The rows of summary.parquet, from all records, by default none.

        Args:
            measured: as records.schema.MEASURED, of all records in the order of the plan. Where they are too many for memory,
                ``summary`` can be overridden instead.
            runs: as records.schema.RUNS, without the kept tokens and the answers.

        Returns:
            As records.schema.SUMMARY. The same input gives the same table.
        """
        return table([], SUMMARY)
