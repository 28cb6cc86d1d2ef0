"""A run's config.yaml repeats it: the same units with the same keys."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from tests.plans import composed, plan
from tokenrank.planning.making import make_plan
from tokenrank.planning.replay import HEAD, replayable


@pytest.mark.parametrize(
    "settings",
    [("heuristic=[claa,oracle]", "seed=3"), ("experiment=claa_window", "study.values=[1,2]"), ("evaluation=accuracy",)],
)
def test_a_config_of_its_own_repeats_the_run(settings: tuple[str, ...], tmp_path: Path) -> None:
    made = plan(*settings)
    (tmp_path / "config.yaml").write_text(replayable(made.config), encoding="utf-8")
    again = make_plan(composed(folder=tmp_path, name="config"))
    assert [unit.key for unit in again.units] == [unit.key for unit in made.units]
    assert again.config == made.config
    assert again.rankings == made.rankings


def test_a_replayed_run_takes_further_settings(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(replayable(plan("heuristic=claa").config), encoding="utf-8")
    again = make_plan(composed("heuristic.claa.n=2", folder=tmp_path, name="config"))
    assert again.config.heuristic.claa.n == 2


def test_no_value_refers_to_another() -> None:
    text = replayable(plan().config)
    assert text.startswith(HEAD)
    assert "${" not in text.removeprefix(HEAD)
    assert OmegaConf.create(text.removeprefix(HEAD)) == plan().config
