"""The same command draws what is missing: after a run that was killed while it drew, or with other ``plots`` settings."""

from pathlib import Path

import pytest

from tests.command import SMALL, Command
from tokenrank.records.run_folder import RunFolder

ARGUMENTS = (*SMALL, "metric=[recall,mass]")


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


def test_a_finished_run_shows_the_k_and_the_metrics_that_the_command_asks_for(
    tokenrank: Command, tmp_path: Path
) -> None:
    assert tokenrank(*ARGUMENTS).code == 0
    again = tokenrank(*ARGUMENTS, "plots.k=5", "plots.metrics=[mass]")
    assert "mass@5" in again.out
    assert "mass@10" not in again.out
    assert "mass_at_5_layers.png" in pictures(tmp_path / "run")


def test_a_finished_run_is_copied_to_a_logger_that_it_had_not(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_pictures: None
) -> None:
    copies: list[Path] = []

    def copy(_self: object, folder: RunFolder, _names: object) -> str:
        copies.append(folder.path)
        (folder.path / "wandb").mkdir()
        return "the copy"

    monkeypatch.setattr("tokenrank.report.loggers.trackers.WandB.copy", copy)
    assert tokenrank(*ARGUMENTS).code == 0
    assert copies == []
    said = [tokenrank(*ARGUMENTS, "logger=wandb").out.splitlines()[-1] for _ in range(2)]
    assert copies == [tmp_path / "run"]
    assert said == ["the copy", "the copy (copied before)"]
