"""What is drawn and printed of each evaluation: of ours by what the tables hold, of any other by ``report_class`` in the config."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hydra.utils import get_object

from tokenrank.records.tables import Tables
from tokenrank.report.pictures.agreement import agreement_pictures
from tokenrank.report.pictures.contestant_grid import contestant_grids
from tokenrank.report.pictures.drawing import Pictures
from tokenrank.report.pictures.grid import ranking_grids
from tokenrank.report.pictures.latency import latency_pictures
from tokenrank.report.pictures.layer_pairs import layer_pair_pictures
from tokenrank.report.pictures.plots import layer_pictures
from tokenrank.report.pictures.study import study_pictures
from tokenrank.report.pictures.tradeoff import tradeoff_pictures
from tokenrank.report.printed.contestant_tables import accuracy_summary, fidelity_summary
from tokenrank.report.printed.table import summary
from tokenrank.report.printed.task_means import contestants_by_task, ranking_by_task
from tokenrank.report.printed.ttft_table import ttft_summary
from tokenrank.report.rows.contestant_rows import ACCURACY, FIDELITY, RANKING, TTFT, kind

Groups = dict[str, Callable[[], Pictures]]  # a name for messages -> makes the pictures


class EvaluationReport(ABC):
    """Pictures and the printed table of one evaluation. Subclasses are frozen dataclasses; their fields are their config."""

    @abstractmethod
    def printed(self, tables: Tables, k: float) -> str:
        """The table for the terminal.

        Args:
            tables: of the run; something was measured.
            k: percent; which k is shown of the metrics that have one.
        """

    def pictures(self, tables: Tables, k: float, metrics: Sequence[str], study: Any) -> Groups:  # noqa: ARG002
        """The pictures by group, by default none.

        Args:
            tables: of the run.
            k: as for ``printed``.
            metrics: the metrics of evaluation=ranking that are drawn (``plots.metrics``).
            study: that entry of the config, or None.
        """
        return {}


@dataclass(frozen=True)
class RankingReport(EvaluationReport):
    """Of evaluation=ranking."""

    def printed(self, tables: Tables, k: float) -> str:
        """A line a heuristic."""
        return "\n\n".join(filter(None, [summary(tables, k), ranking_by_task(tables, k)]))

    def pictures(self, tables: Tables, k: float, metrics: Sequence[str], study: Any) -> Groups:
        """Metrics by layer and between layers, the needle grid, the study."""
        found: Groups = {f"{each} by layer": partial(layer_pictures, tables, each, k) for each in metrics}
        found |= {
            "layer pairs": partial(layer_pair_pictures, tables, metrics, k),
            "agreement with each truth": partial(agreement_pictures, tables, metrics, k),
            "the needle grid": partial(ranking_grids, tables, k),
        }
        return found | ({"the study": partial(study_pictures, tables, study, k)} if study else {})


@dataclass(frozen=True)
class AccuracyReport(EvaluationReport):
    """Of evaluation=accuracy."""

    def printed(self, tables: Tables, k: float) -> str:  # noqa: ARG002
        """A line a contestant and keep rate."""
        by_task = [contestants_by_task(tables, each) for each in ("accuracy", "loss")]
        return "\n\n".join(filter(None, [accuracy_summary(tables), *by_task]))

    def pictures(self, tables: Tables, k: float, metrics: Sequence[str], study: Any) -> Groups:  # noqa: ARG002
        """Accuracy and loss against cost, and the needle grid."""
        return {
            "accuracy and loss against cost": partial(tradeoff_pictures, tables, ("accuracy", "loss")),
            "the needle grid": partial(contestant_grids, tables),
        }


@dataclass(frozen=True)
class FidelityReport(EvaluationReport):
    """Of evaluation=fidelity."""

    def printed(self, tables: Tables, k: float) -> str:  # noqa: ARG002
        """A line a contestant and keep rate."""
        return "\n\n".join(filter(None, [fidelity_summary(tables), contestants_by_task(tables, "loss")]))

    def pictures(self, tables: Tables, k: float, metrics: Sequence[str], study: Any) -> Groups:  # noqa: ARG002
        """Loss and KL against cost, and the needle grid."""
        return {
            "loss and KL against cost": partial(tradeoff_pictures, tables, ("loss", "kl")),
            "the needle grid": partial(contestant_grids, tables),
        }


@dataclass(frozen=True)
class TTFTReport(EvaluationReport):
    """Of evaluation=ttft."""

    def printed(self, tables: Tables, k: float) -> str:  # noqa: ARG002
        """A line a prompt length, contestant and keep rate."""
        return ttft_summary(tables)

    def pictures(self, tables: Tables, k: float, metrics: Sequence[str], study: Any) -> Groups:  # noqa: ARG002
        """Time to first token."""
        return {"time to first token": partial(latency_pictures, tables)}


OURS: dict[str, EvaluationReport] = {
    RANKING: RankingReport(),
    ACCURACY: AccuracyReport(),
    FIDELITY: FidelityReport(),
    TTFT: TTFTReport(),
}


def report_of(tables: Tables, node: Mapping[str, Any] | None) -> EvaluationReport | None:
    """The report of a run; None where nothing was measured.

    Args:
        tables: of the run.
        node: the entry ``report_class`` of its config: None, or a ``_target_`` with its settings.

    Raises:
        ValueError: the target cannot be imported, is no EvaluationReport, or refuses its settings.
    """
    found = kind(tables)
    if node is None or found is None:
        return None if found is None else OURS[found]
    settings = dict(node)
    name = settings.pop("_target_", None)
    try:
        target: Any = get_object(str(name))
    except Exception as error:  # importing a module can raise anything
        raise ValueError(f"report_class._target_ is {name!r}, which cannot be imported: {error}") from error
    if not isinstance(target, type) or not issubclass(target, EvaluationReport):
        raise ValueError(
            f"report_class._target_ is {name!r}, must be a subclass of {EvaluationReport.__module__}.EvaluationReport"
        )
    try:
        return target(**settings)
    except TypeError as error:
        raise ValueError(f"report_class: {error}") from error
