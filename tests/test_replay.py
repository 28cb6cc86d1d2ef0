"""A run's config.yaml repeats it: ``--config-dir RUN --config-name config``."""

from pathlib import Path

import pandas as pd
import pytest
from omegaconf import OmegaConf

from scripts.collect import command as collect
from scripts.plot import command as plot
from tests.command import SMALL, Command

RUNS = {
    "ranking": (*SMALL, "heuristic=[claa,random,oracle]", "seed=3"),
    "accuracy": (*SMALL, "evaluation=accuracy", "heuristic=[claa,gemfilter]", "prefill.keep=[20]"),
    "study": (*SMALL, "experiment=kernel", "study.values=[1,3]", "task.depths=[0]"),
    "experiment": (
        *(each for each in SMALL if not each.startswith("k=")),
        "experiment=paper_rankings",
        "task.depths=[0]",
    ),
    "reference": (*SMALL, "answer=reference", "texts=false", "universe.window=4"),
}


@pytest.mark.parametrize("kind", RUNS)
def test_a_run_is_repeated_from_its_config(tokenrank: Command, tmp_path: Path, no_pictures: None, kind: str) -> None:
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    ended = tokenrank(*RUNS[kind], f"hydra.run.dir={first}")
    assert ended.code == 0, ended.err
    for before, after in ((first, second), (second, third)):
        ended = tokenrank("--config-dir", str(before), "--config-name", "config", f"hydra.run.dir={after}")
        assert ended.code == 0, ended.err
        assert (after / "config.yaml").read_bytes() == (before / "config.yaml").read_bytes()
        for name in ("metrics", "summary"):
            assert (after / f"{name}.parquet").read_bytes() == (before / f"{name}.parquet").read_bytes()
    keys = [pd.read_parquet(folder / "samples.parquet")["key"].tolist() for folder in (first, second)]
    assert keys[0] == keys[1]


def test_a_repeated_run_can_be_changed_and_is_still_checked(
    tokenrank: Command, tmp_path: Path, no_pictures: None
) -> None:
    tokenrank(*SMALL, f"hydra.run.dir={tmp_path / 'first'}")
    again = ("--config-dir", str(tmp_path / "first"), "--config-name", "config", f"hydra.run.dir={tmp_path / 'second'}")
    ended = tokenrank(*again, "heuristic.claa.n=1", "task.depths=[100]")
    assert ended.code == 0, ended.err
    assert list(pd.read_parquet(tmp_path / "second" / "samples.parquet")["id"]) == ["niah_300_100_0"]
    ended = tokenrank(*again, "heuristic.claa.n=0")
    assert ended.code == 2
    assert ended.err.splitlines()[-1].startswith("error: heuristic.claa: n is 0")


@pytest.mark.parametrize("kind", ["ranking", "study"])
def test_what_hydra_needs_in_the_config_disturbs_no_reader(
    tokenrank: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    tokenrank(*RUNS[kind])
    run = tmp_path / "run"
    assert {"defaults", "hydra"} <= set(OmegaConf.load(run / "config.yaml"))
    names = ("metrics", "summary", "samples", "runs")
    before = [(run / f"{name}.parquet").read_bytes() for name in names]
    pictures = {file.name for file in (run / "plots").iterdir()}
    assert collect([str(run)]) == 0
    assert [(run / f"{name}.parquet").read_bytes() for name in names] == before
    assert {file.name for file in (run / "plots").iterdir()} == pictures
    assert plot([str(run), "5"]) == 0
    assert "recall@5" in capsys.readouterr().out
