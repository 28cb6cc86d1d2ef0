"""The same command draws what is missing: after a run that was killed while it drew, or with other ``plots`` settings."""

import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from tests.command import SMALL, Command
from tests.report.page.test_page import data_of
from tokenrank.records.run_folder import RunFolder
from tokenrank.report.rows.loaded_run import LoadedRun

ARGUMENTS = (*SMALL, "metric=[recall,mass]")
OWN_REPORT = """
from dataclasses import dataclass
from tokenrank.report.evaluation_report import EvaluationReport

@dataclass(frozen=True)
class Counted(EvaluationReport):
    word: str = "rows"

    def printed(self, tables, k):
        return f"{len(tables.metrics)} {self.word}"
"""


def pictures(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mtime_ns for file in (folder / "plots").iterdir()}


def test_what_is_missing_is_drawn_and_the_rest_stays(tokenrank: Command, tmp_path: Path) -> None:
    assert tokenrank(*ARGUMENTS).code == 0
    before = pictures(tmp_path / "run")
    (tmp_path / "run" / "plots" / "recall_at_10_layers.pdf").unlink()
    assert tokenrank(*ARGUMENTS).code == 0
    after = pictures(tmp_path / "run")
    assert after.keys() == before.keys()
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"recall_at_10_layers.pdf", "recall_at_10_layers.png", "index.md"}


def test_all_of_a_finished_run_is_of_the_k_and_the_metrics_that_the_command_asks_for(
    tokenrank: Command, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    assert tokenrank(*ARGUMENTS).code == 0
    before = {file: file.read_bytes() for file in run.glob("*.parquet")}
    again = tokenrank(*ARGUMENTS, "plots.k=5", "plots.metrics=[mass]")
    shown = {name: (run / name).read_text() for name in ("report.md", "report.tex", "summary.md")}
    for text in (again.out, *shown.values()):
        assert "@5" in text
        tables = text if text is not shown["summary.md"] else text[text.index("## recall@5") :]
        assert "@10" not in tables  # its sentences are of the declared k, which stays the run's own
    assert data_of(run / "report.html")["k"] == 5
    assert {f"{name}_at_5_layers.png" in pictures(run) for name in ("mass", "recall")} == {True, False}
    assert "2 of 2 units are done already" in again.out
    assert {file: file.read_bytes() for file in run.glob("*.parquet")} == before
    assert not (run / ".drawing").exists()


def test_what_was_written_for_other_settings_is_written_again_and_else_stays(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[float, bool, bool]] = []

    def write_report(run: LoadedRun, *, lacking: bool = False) -> list[str]:
        made.append((run.k, lacking, bool(run.config["report"])))
        return []

    monkeypatch.setattr("tokenrank.report.whole.write_report", write_report)
    for given in ((), ("plots.k=5",), ("plots.k=5", "threads=1"), ("plots.k=5", "report=false"), ()):
        assert tokenrank(*ARGUMENTS, *given).code == 0
    assert made == [(10, False, True), (5, False, True), (5, True, True), (5, True, False), (10, False, True)]
    kept = OmegaConf.load(tmp_path / "run" / "config.yaml")
    assert (kept.plots.k, kept.threads, kept.report) == (10, None, True)  # only what is shown follows the command
    ended = tokenrank("--config-dir", str(tmp_path / "run"), "--config-name", "config", "hydra.run.dir=new")
    assert ended.code == 0, ended.err  # the file still repeats the run


def test_another_class_reports_on_a_finished_run(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_reports.py").write_text(OWN_REPORT)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_reports", raising=False)
    own = "_target_: my_reports.Counted"
    for number, given in enumerate(("null", f"{{{own}}}", f"{{{own}, word: values}}")):
        ended = tokenrank(*ARGUMENTS, "report=false", f"report_class={given}")  # a class, and no page
        assert ended.code == 0, ended.err
        summary = (tmp_path / "run" / "summary.md").read_text()
        for text in (ended.out, summary):
            assert (" rows" in text, " values" in text) == (number == 1, number == 2), text
        assert not (tmp_path / "run" / "report.html").exists()
    ended = tokenrank(*ARGUMENTS, "report_class={_target_: os.getcwd}")
    assert ended.code == 2
    assert "report_class._target_ is" in ended.err


def test_a_finished_run_is_copied_to_a_logger_that_it_had_not(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_pictures: None
) -> None:
    copies: list[Path] = []

    def copy(_self: object, folder: RunFolder, _names: object) -> str:
        copies.append(folder.path)
        (folder.path / "wandb").mkdir(exist_ok=True)
        return "the copy"

    monkeypatch.setattr("tokenrank.report.loggers.trackers.WandB.copy", copy)
    assert tokenrank(*ARGUMENTS).code == 0
    assert copies == []
    said = [tokenrank(*ARGUMENTS, "logger=wandb").out.splitlines()[-1] for _ in range(2)]
    assert copies == [tmp_path / "run"]
    assert tokenrank(*ARGUMENTS, "logger=wandb", "plots.k=5").out.splitlines()[-1] == "the copy"  # it shows another k
    assert copies == [tmp_path / "run"] * 2
    assert said == ["the copy", "the copy (copied before)"]
