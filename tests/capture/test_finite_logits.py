"""Weights with a NaN and values that overflow: no way to read a prompt gives an answer of them."""

import copy
from typing import Any

import pytest
from transformers import PreTrainedModel

from tests.capture.decoded import ANSWER, PLAIN, answered, plain_model, prefilled, prompt, with_settings
from tests.prefill.cases import ENGINES
from tokenrank.capture.reading import read

NAN = float("nan")


def broken(where: str) -> PreTrainedModel:
    """A model with a NaN in its weights, or one whose values overflow float16."""
    model: Any = copy.deepcopy(plain_model())
    if where == "lm_head":
        model.lm_head.weight.data[3, 0] = NAN
    elif where == "last layer":
        model.model.layers[-1].self_attn.v_proj.weight.data[0, 0] = NAN
    else:
        model.half()
        model.model.layers[0].mlp.down_proj.weight.data *= 60000
    return model  # type: ignore[no-any-return]


@pytest.mark.parametrize("where", ["lm_head", "last layer", "float16"])
@pytest.mark.parametrize("engine", [*ENGINES, "reading", "reference"])
def test_a_model_whose_logits_are_not_finite_gives_no_answer(engine: str, where: str) -> None:
    model = broken(where)
    with pytest.raises(ValueError, match=r"logits are (NaN|infinite), must be finite|NaN"):
        answered(model, engine, kept=12)


@pytest.mark.parametrize("engine", [*ENGINES, "reading"])
def test_a_later_step_that_is_not_finite_is_found_too(engine: str) -> None:
    model: Any = with_settings()
    answer = PLAIN if engine == "reading" else prefilled(model, engine, kept=12).answer(ANSWER)
    step = next(step for step, token in enumerate(answer) if token not in prompt().tolist())
    model.model.embed_tokens.weight.data[answer[step]] = NAN
    with pytest.raises(ValueError, match=rf"^answer token {step + 1}: the model's logits are NaN"):
        answered(model, engine, kept=12)


def test_a_given_answer_is_checked_at_its_end() -> None:
    model: Any = with_settings()
    token = next(each for each in range(64) if each not in prompt().tolist())
    read(model, prompt(), lambda _: None, max_new_tokens=1, answer_ids=[1, token, 2])
    model.model.embed_tokens.weight.data[token] = NAN
    with pytest.raises(ValueError, match=r"^answer token 2: the model's logits are NaN"):
        read(model, prompt(), lambda _: None, max_new_tokens=1, answer_ids=[1, token, 2])
