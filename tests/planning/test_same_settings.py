"""A run goes on in a folder of the same settings only; others are named."""

from pathlib import Path

import pytest

from tests.plans import config
from tokenrank.planning.replay import replayable
from tokenrank.planning.same_settings import OtherSettings, check_same_settings, differences


def test_the_same_settings_are_accepted_and_others_named(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(replayable(config("seed=1")))
    check_same_settings(file, config("seed=1", "threads=3", "shard=1/2", "overwrite=true", "executor.processes=2"))
    with pytest.raises(OtherSettings, match=r"holds a run with other settings: seed is 1 there and 2 here"):
        check_same_settings(file, config("seed=2"))


def test_what_only_one_of_both_has_is_missing_in_the_other() -> None:
    assert differences({"a": {"b": 1}}, {"a": {"c": None}}) == [
        "a.b is 1 there and missing here", "a.c is missing there and None here",
    ]  # fmt: skip
    assert differences({"a": {}}, {"a": {}}) == []


def test_many_differences_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(replayable(config()))
    with pytest.raises(OtherSettings, match=r"and \d+ more\. Choose another hydra\.run\.dir, or overwrite=true"):
        check_same_settings(file, config("heuristic=tova", "seed=4", "universe.window=4", "k=[10]", "texts=false"))


@pytest.mark.parametrize("content", ["", "a: [", "seed: ${nowhere}", "[]"])
def test_a_config_that_cannot_be_compared_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(content)
    with pytest.raises(OtherSettings):
        check_same_settings(file, config())
