"""With every setting of the generation config the answer is generate()'s; what is not greedy decoding is refused."""

from typing import Any

import pytest
import torch
from transformers import SynthIDTextWatermarkingConfig, WatermarkingConfig

from tests.capture.decoded import (
    ANSWER,
    PLAIN,
    TOKENS,
    generated,
    plain_model,
    prefilled,
    prompt,
    with_settings,
)
from tests.prefill.cases import ENGINES
from tokenrank.capture.decoding import Decoding
from tokenrank.capture.reading import read

SETTINGS: dict[str, dict[str, Any]] = {
    "repetition_penalty": {"repetition_penalty": 3.0},
    "encoder_repetition_penalty": {"encoder_repetition_penalty": 3.0},
    "no_repeat_ngram_size": {"no_repeat_ngram_size": 1},
    "encoder_no_repeat_ngram_size": {"encoder_no_repeat_ngram_size": 1},
    "suppress_tokens": {"suppress_tokens": [PLAIN[0], PLAIN[2]]},
    "begin_suppress_tokens": {"begin_suppress_tokens": [PLAIN[0]]},
    "bad_words_ids": {"bad_words_ids": [[PLAIN[1], PLAIN[2]], [PLAIN[5]]]},
    "min_length": {"eos_token_id": PLAIN[3], "min_length": TOKENS + 6},
    "min_new_tokens": {"eos_token_id": [PLAIN[3], 63], "min_new_tokens": 6, "pad_token_id": 0},
    "forced_eos_token_id": {"forced_eos_token_id": 7},
    "sequence_bias": {"sequence_bias": [[[PLAIN[1]], -30.0]]},
    "exponential_decay_length_penalty": {"exponential_decay_length_penalty": (2, 3.0), "eos_token_id": 9},
    "guidance_scale": {"guidance_scale": 2.5},
    "watermarking_config": {"watermarking_config": WatermarkingConfig(bias=10.0)},
    "synthid": {"watermarking_config": SynthIDTextWatermarkingConfig(ngram_len=3, keys=[1, 2, 3, 4, 5])},
    "renormalize_logits": {"renormalize_logits": True, "repetition_penalty": 3.0},
}
NOT_APPLIED: dict[str, dict[str, Any]] = {
    "nothing": {},
    "sampling": {"do_sample": True, "temperature": 0.1, "top_p": 0.1, "top_k": 1},
    "max_new_tokens": {"max_new_tokens": 2},
    "max_length": {"max_length": 3},
    "end and pad": {"eos_token_id": [62, 63], "pad_token_id": 63},
    "one beam": {"num_beams": 1},
    "no penalty": {"repetition_penalty": 1.0, "no_repeat_ngram_size": 0},
    "prompt lookup": {"prompt_lookup_num_tokens": 3},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_with_a_setting_of_the_generation_config_the_answer_is_generates_own(name: str) -> None:
    model = with_settings(**SETTINGS[name])
    wanted = generated(model)
    assert wanted != PLAIN, "the setting makes no difference here, so nothing was tested"
    assert read(model, prompt(), lambda _: None, max_new_tokens=ANSWER).answer_ids.tolist() == wanted


@pytest.mark.parametrize("penalty", [1.0, 1.3, 3.0])
def test_logits_of_half_precision_are_processed_in_float32_as_generate_does(penalty: float) -> None:
    model = with_settings(repetition_penalty=penalty).to(torch.bfloat16)  # type: ignore[arg-type]
    wanted = generated(model)
    assert read(model, prompt(), lambda _: None, max_new_tokens=ANSWER).answer_ids.tolist() == wanted
    assert prefilled(model, "full", TOKENS).answer(ANSWER) == wanted


@pytest.mark.parametrize("name", NOT_APPLIED)
def test_settings_that_change_no_greedy_answer_change_ours_neither(name: str) -> None:
    model = with_settings(**NOT_APPLIED[name])
    assert read(model, prompt(), lambda _: None, max_new_tokens=ANSWER).answer_ids.tolist() == PLAIN
    assert generated(plain_model()) == PLAIN
    assert not Decoding.of(model).processed


def test_a_prompt_of_one_token_is_answered_with_the_forced_first_token() -> None:
    model = with_settings(forced_bos_token_id=5)
    wanted = generated(model, tokens=1)
    assert wanted[0] == 5 != generated(plain_model(), tokens=1)[0]
    assert read(model, prompt(1), lambda _: None, max_new_tokens=ANSWER).answer_ids.tolist() == wanted


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", SETTINGS)
def test_every_engine_follows_the_generation_config(engine: str, name: str) -> None:
    model = with_settings(**SETTINGS[name])
    wanted, done = generated(model), prefilled(model, engine, TOKENS)
    assert done.first_token == wanted[0]
    assert done.answer(ANSWER) == wanted


@pytest.mark.parametrize("engine", sorted(set(ENGINES) - {"full"}))
def test_after_a_pruned_prefill_the_penalty_is_for_every_token_of_the_whole_prompt(engine: str) -> None:
    penalised = prefilled(with_settings(repetition_penalty=1.8), engine, kept=12).answer(ANSWER)
    step_by_step = prefilled(plain_model(), engine, kept=12)
    logits, answer = step_by_step.logits, list[int]()
    for step in range(ANSWER):
        seen = sorted({*prompt().tolist(), *answer})
        scores = logits.clone()
        scores[seen] = torch.where(scores[seen] > 0, scores[seen] / 1.8, scores[seen] * 1.8)
        answer.append(int(scores.argmax()))
        logits = step_by_step.decode(answer[-1], step)
    assert penalised == answer
    assert penalised != prefilled(plain_model(), engine, kept=12).answer(ANSWER)


def test_the_rules_of_a_prompt_are_generates_minimum_length_with_more_ends() -> None:
    first, end = PLAIN[0], PLAIN[2]
    wanted = generated(plain_model(), eos_token_id=[first, end], min_length=TOKENS + 1)
    assert wanted != PLAIN[: len(wanted)]
    rules = Decoding.of(plain_model(), ends=[first, end], not_first=[first, end])
    found = read(plain_model(), prompt(), lambda _: None, max_new_tokens=ANSWER, decoding=rules)
    assert found.answer_ids.tolist() == wanted
    assert prefilled(plain_model(), "full", TOKENS, decoding=rules).answer(ANSWER) == wanted


def test_the_answer_of_a_model_without_generation_config_has_no_processors() -> None:
    model = with_settings(repetition_penalty=3.0)
    model.generation_config = None  # type: ignore[assignment]
    assert read(model, prompt(), lambda _: None, max_new_tokens=ANSWER).answer_ids.tolist() == PLAIN


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_beams", 3),
        ("num_beam_groups", 2),
        ("constraints", ["a"]),
        ("force_words_ids", [[1]]),
        ("penalty_alpha", 0.6),
        ("dola_layers", "low"),
        ("stop_strings", ["."]),
        ("max_time", 3.0),
        ("token_healing", True),
        ("cache_implementation", "quantized"),
    ],
)
def test_a_generation_config_that_is_not_greedy_is_refused(name: str, value: object) -> None:
    model = with_settings(**{name: value})
    with pytest.raises(ValueError, match=rf"^the model's generation_config has {name} .*, must be null"):
        read(model, prompt(), lambda _: None, max_new_tokens=ANSWER)


def test_a_value_that_transformers_refuses_is_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"the model's generation_config cannot be applied: .*penalty"):
        Decoding.of(with_settings(repetition_penalty=-1.0))
