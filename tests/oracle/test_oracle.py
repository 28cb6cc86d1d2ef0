"""What every oracle under configs/oracle must do, and what a truth must be."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from transformers import PreTrainedModel

from tests.prefill.cases import model_of
from tokenrank.capture.answer_passes import AnswerPasses
from tokenrank.capture.reading import read
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.oracle.ablation import AblationOracle
from tokenrank.oracle.bound import Bound
from tokenrank.oracle.oracle import Answer, AnsweredPrompt, Oracle, Truth

CONFIGS = Path(__file__).parents[2] / "configs"
NAMES = sorted(path.stem for path in (CONFIGS / "oracle").glob("*.yaml"))
PROMPT = torch.tensor([(7 * i * i + 3) % 256 for i in range(50)])


def oracle(name: str) -> Oracle:
    """As a run builds it."""
    config: Any = OmegaConf.load(CONFIGS / "oracle" / f"{name}.yaml")
    run = {"chunk": 8, "seed": 0}  # settings of run.yaml
    whole: Any = OmegaConf.merge(run, config)
    built: Oracle = instantiate(whole[name])
    return built


def answered(model: PreTrainedModel) -> AnsweredPrompt:
    """A prompt that the model has answered with five tokens; its context are the tokens 6 to 39."""
    reading = read(model, PROMPT, lambda _: None, max_new_tokens=5, keep_cache=True)
    assert reading.cache is not None
    passes = AnswerPasses(model, PROMPT, reading.answer_ids, reading.cache)
    answer = Answer(tuple(reading.answer_ids.tolist()), "generated")
    return AnsweredPrompt(model, PROMPT, answer, reading.answer_layers, passes, context=range(6, 40))


@pytest.mark.parametrize("name", NAMES)
def test_the_key_of_the_config_is_the_name_of_its_file_and_it_shows_every_setting(name: str) -> None:
    config: Any = OmegaConf.load(CONFIGS / "oracle" / f"{name}.yaml")
    built: Any = oracle(name)
    assert list(config) == [name]
    assert set(config[name]) - {"_target_"} == {field.name for field in fields(built)}


@pytest.mark.parametrize("name", NAMES)
def test_a_truth_has_a_finite_row_for_all_layers_or_one_per_layer(name: str, tiny_model: PreTrainedModel) -> None:
    prompt = answered(tiny_model)
    first, second = oracle(name).truth(prompt).importance, oracle(name).truth(prompt).importance
    assert first.shape in ((1, 50), (4, 50))
    assert first.isfinite().all()
    assert first.min() < first.max()
    assert torch.equal(first, second)


@pytest.mark.parametrize("name", NAMES)
def test_prompt_and_layers_are_left_as_they_were(name: str, tiny_model: PreTrainedModel) -> None:
    prompt = answered(tiny_model)
    before = [(layer.queries.clone(), layer.keys.clone()) for layer in prompt.layers]
    weights = {key: value.clone() for key, value in tiny_model.state_dict().items()}
    oracle(name).truth(prompt)
    assert torch.equal(prompt.input_ids, PROMPT)
    for layer, (queries, keys) in zip(prompt.layers, before, strict=True):
        assert torch.equal(layer.queries, queries)
        assert torch.equal(layer.keys, keys)
    assert all(torch.equal(value, weights[key]) for key, value in tiny_model.state_dict().items())
    assert all(each.requires_grad and each.grad is None for each in tiny_model.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_an_oracle_reads_what_it_says_that_it_needs(name: str, tiny_model: PreTrainedModel) -> None:
    prompt, needs = answered(tiny_model), oracle(name).needs
    given = replace(
        prompt, layers=prompt.layers if needs.layers else [], passes=prompt.passes if needs.passes else None
    )
    assert torch.equal(oracle(name).truth(given).importance, oracle(name).truth(prompt).importance)
    if needs.passes:
        with pytest.raises(ValueError, match=r"needs passes over the answer \(AnsweredPrompt.passes\), got None"):
            oracle(name).truth(replace(prompt, passes=None))
    if needs.layers:
        with pytest.raises(ValueError, match="at least one attention layer"):
            oracle(name).truth(replace(prompt, layers=[]))


def test_a_truth_may_have_any_sign() -> None:
    assert Truth(torch.tensor([[-1.0, 2.0]])).importance.shape == (1, 2)


@pytest.mark.parametrize("importance", [torch.zeros(5), torch.zeros(1, 2, 5), torch.zeros(1, 5, dtype=torch.float64)])
def test_a_truth_of_another_shape_or_type_is_refused(importance: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"must be torch\.float32 of shape \(1 or layers, tokens\) on the CPU"):
        Truth(importance)


def test_the_bound_is_chosen_like_a_heuristic_but_cannot_rank() -> None:
    config: Any = OmegaConf.load(CONFIGS / "heuristic" / "oracle.yaml")
    built = instantiate(config.oracle)
    assert built == Bound()
    assert not isinstance(built, Heuristic)
    assert not hasattr(built, "score")


def test_models_and_prompts_are_checked_without_weights() -> None:
    """By each oracle for what it needs: hybrids have no passes, and prompts no context that is shorter than a chunk."""
    hybrid, decoder = (model_of(each) for each in ("jamba (hybrid)", "llama"))
    for name in NAMES:
        built = oracle(name)
        built.check_model(decoder)
        built.check_prompt(50, range(10, 18))
        if built.needs.passes:
            with pytest.raises(ValueError, match="single tokens of a prompt cannot be hidden from its answer"):
                built.check_model(hybrid)
        else:
            built.check_model(hybrid)
        if hasattr(built, "chunk"):
            with pytest.raises(ValueError, match="chunk is 8 tokens, and the context has 7"):
                built.check_prompt(50, range(10, 17))
    AblationOracle(by="removal").check_model(hybrid)
    with pytest.raises(ValueError, match="select_layer is 9, must be an attention layer of the model"):
        AblationOracle(by="pruned", select_layer=9).check_model(decoder)
