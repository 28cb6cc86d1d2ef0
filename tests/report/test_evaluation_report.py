"""Which report a run has: ours by its tables, another by name; what is no report is refused."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.command import Command
from tests.report.contestant_examples import accuracy_tables, as_tables, fidelity_tables
from tests.report.ranking_examples import at_layer, ranked
from tests.report.run_folders import CONFIG, draw, printed, run_folder
from tests.report.ttft_examples import ttft_tables
from tokenrank.records.tables import Tables
from tokenrank.report.evaluation_report import (
    AccuracyReport,
    EvaluationReport,
    FidelityReport,
    RankingReport,
    TTFTReport,
    report_of,
)

RANKED = ranked([at_layer("a", "claa", 0, "recall", 10.0, 0.5)], samples=[{"id": "a", "status": "ok"}])


@dataclass(frozen=True)
class Counted(EvaluationReport):
    """Says how many values there are."""

    unit: str = "values"

    def printed(self, tables: Tables, k: float) -> str:
        return f"{len(tables.metrics)} {self.unit} at {k:g}"


@pytest.mark.parametrize(
    ("tables", "report"),
    [
        (RANKED, RankingReport()),
        (accuracy_tables(), AccuracyReport()),
        (fidelity_tables(), FidelityReport()),
        (ttft_tables(), TTFTReport()),
        (as_tables(), None),
    ],
)
def test_our_evaluations_have_their_own(tables: Tables, report: EvaluationReport | None) -> None:
    assert report_of(tables, None) == report


def test_a_named_report_takes_its_place(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, RANKED, f"{CONFIG}report_class: {{_target_: {__name__}.Counted, unit: numbers}}\n")
    assert printed(folder) == "1 numbers at 10\n1 prompt measured, 0 failed"
    assert draw(folder) == []
    assert not folder.plots.exists()


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({}, "report_class._target_ is None, which cannot be imported"),
        ({"_target_": "nowhere.Report"}, "report_class._target_ is 'nowhere.Report', which cannot be imported"),
        ({"_target_": "os.getcwd"}, "report_class._target_ is 'os.getcwd', must be a subclass of"),
        ({"_target_": f"{__name__}.Counted", "color": 1}, "report_class: .* unexpected keyword argument 'color'"),
    ],
)
def test_what_is_no_report_is_refused(node: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        report_of(RANKED, node)


def test_a_run_refuses_it_before_anything_is_written(tokenrank: Command, tmp_path: Path) -> None:
    ended = tokenrank("model=tiny", "report_class={_target_: os.getcwd}")
    assert ended.code == 2
    assert ended.err.splitlines()[-1].startswith("error: report_class._target_ is <built-in function getcwd>, must be")
    assert not (tmp_path / "run").exists()
