"""A config is checked whole before anything is loaded; what a user types is tested in tests/test_run.py."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from tokenrank.evaluation.composing import register
from tokenrank.evaluation.preparation import check_settings, of_the_chosen, prepare

from tokenrank.heuristics.claa import CLAA

CONFIGS = Path(__file__).parent.parent.parent / "configs"


def config(*overrides: str) -> DictConfig:
    register(CONFIGS)
    small = ["model=tiny", "task.lengths=[300]", "task.depths=[0,100]"]
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("run", [*small, *overrides])


def test_everything_a_run_needs_is_built() -> None:
    experiment = prepare(config("heuristic.claa.n=2"))
    assert experiment.heuristics == {"claa": CLAA(n=2)}
    assert [len(prompt.input_ids) for prompt in experiment.prompts] == [300, 300]
    assert set(experiment.metrics) == {file.stem for file in (CONFIGS / "metric").glob("*.yaml")} - {"all"}
    assert experiment.model.config.num_hidden_layers == 4


def test_the_given_config_is_left_as_it_was() -> None:
    given = config("experiment=paper_rankings", "heuristic=claa")
    before = OmegaConf.to_yaml(given)
    assert set(of_the_chosen(given).heuristic) == {"claa"}
    assert OmegaConf.to_yaml(given) == before


def test_the_model_is_not_loaded_for_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokenrank.models.tiny.Tiny.model", lambda _: pytest.fail("loaded"))
    with pytest.raises(ValueError, match=r"heuristic\.claa\.window=300"):
        prepare(config("heuristic.claa.window=300"))


def test_a_reference_answer_is_asked_for_before_the_run() -> None:
    given = config("answer=reference")
    assert prepare(given).reference_answer(prepare(given).prompts[0])
    given.task = {"_target_": "tests.evaluation.test_preparation.unanswered"}
    with pytest.raises(ValueError, match="needs a reference answer, and prompt p of test has none"):
        prepare(given)


def unanswered() -> object:
    """A task whose only prompt has no reference answer."""
    from tokenrank.tasks.task import Prompt, Task

    class Unanswered(Task):
        def prompts(self, tokenizer: object, max_tokens: int) -> list[Prompt]:
            return [Prompt("p", "test", tuple(range(50)), max_new_tokens=3)]

    return Unanswered()


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [("k=[]", "k is"), ("k=[a]", "k is 'a'"), ("seed=-1", "seed is -1"), ("universe.window=1.5", "window is 1.5")],
)
def test_settings_out_of_range_are_refused(setting: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        check_settings(config(setting))
