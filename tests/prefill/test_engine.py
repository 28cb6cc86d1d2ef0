"""With every token kept an engine gives plain generation's tokens and logits, on every architecture; bad settings are refused."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.prefill.cases import ANSWER, ENGINES, TOKENS, answered, layers_of, model_of, prefilled, prompt
from tests.prefill.slow import Hidden, masked_logits
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.heuristics.claa import CLAA
from tokenrank.heuristics.gemfilter import GemFilter
from tokenrank.heuristics.speculative import Speculative
from tokenrank.models.architectures import ARCHITECTURES
from tokenrank.prefill.engine import Engine, Full, Job
from tokenrank.prefill.layerwise import Layerwise
from tokenrank.prefill.restart import Restart

EAGER_TOO = ("llama", "mistral (window)", "qwen2 (window)", "gemma3", "gpt2", "opt", "gpt_neox")
CASES = [(name, None) for name in ARCHITECTURES] + [(name, "eager") for name in EAGER_TOO]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("architecture", "implementation"), CASES)
def test_with_every_token_kept_the_answer_is_plain_generations(
    architecture: str, implementation: str | None, engine: str
) -> None:
    model: Any = model_of(architecture, implementation)
    plain = model.generate(
        prompt()[None],
        attention_mask=torch.ones(1, TOKENS),
        max_new_tokens=ANSWER,
        do_sample=False,
        output_logits=True,
        return_dict_in_generate=True,
    )
    answer, logits = answered(prefilled(architecture, *ENGINES[engine], TOKENS, implementation))
    assert answer == plain.sequences[0, TOKENS:].tolist()
    assert float((logits - torch.cat(plain.logits)).abs().max()) < 1e-4


@pytest.mark.parametrize("engine", sorted(set(ENGINES) - {"full"}))
def test_with_fewer_tokens_kept_the_logits_are_other_ones(engine: str) -> None:
    whole, fewer = (answered(prefilled("llama", *ENGINES[engine], kept))[1][0] for kept in (TOKENS, 12))
    assert float((whole - fewer).abs().max()) > 1e-2


@pytest.mark.parametrize("engine", ENGINES)
def test_the_kind_is_the_engines_name_in_tables(engine: str) -> None:
    assert ENGINES[engine][0].kind == engine


@pytest.mark.parametrize("engine", sorted(set(ENGINES) - {"full"}))
def test_an_engine_takes_heuristics_that_rank_before_or_layer_by_layer_and_never_both(engine: str) -> None:
    own, layers = ENGINES[engine][0], layers_of("llama")
    fits, other = (Speculative(), GemFilter()) if engine == "draft" else (GemFilter(), Speculative())
    assert own.resolved(fits, layers).kind == engine
    with pytest.raises(
        ValueError, match=r"which the (layerwise|restart) engine needs|the draft engine needs a heuristic"
    ):
        own.resolved(other, layers)


def test_the_job_names_its_ranker() -> None:
    job = Job(model_of("llama"), CLAA(), prompt(), 20, answer_tokens=1)
    assert job.ranker == CLAA()
    with pytest.raises(ValueError, match="needs a heuristic to rank the tokens, got None"):
        _ = replace(job, heuristic=None).ranker


@pytest.mark.parametrize("engine", ENGINES)
def test_decoding_step_by_step_is_the_answer_and_each_step_costs_one_token_a_layer(engine: str) -> None:
    whole = prefilled("llama", *ENGINES[engine], 12).answer(ANSWER)
    done = prefilled("llama", *ENGINES[engine], 12)
    answer, before = [done.first_token], done.kv_bytes()
    for step in range(ANSWER - 1):
        answer.append(int(done.decode(answer[-1], step).argmax()))
    assert answer == whole
    assert (
        done.kv_bytes() - before == (ANSWER - 1) * 3 * 2 * 2 * 8 * 4
    )  # layers, keys and values, key heads, dim, bytes


def test_the_full_engine_asks_nobody() -> None:
    done = Full().prefill(Job(model_of("llama"), None, prompt(), kept=7, answer_tokens=2))
    assert done.kept.tolist() == list(range(TOKENS))
    assert done.choosing_seconds == 0


def test_the_answer_ends_where_it_should() -> None:
    model = model_of("llama")
    endless = prefilled("llama", *ENGINES["layerwise"], 12).answer(ANSWER)
    assert len(endless) == ANSWER
    ends = model.generation_config.eos_token_id
    model.generation_config.eos_token_id = endless[2]
    try:
        ended = prefilled("llama", *ENGINES["layerwise"], 12).answer(ANSWER)
    finally:
        model.generation_config.eos_token_id = ends
    assert ended == endless[: endless.index(endless[2]) + 1]
    assert prefilled("llama", *ENGINES["layerwise"], 12).answer(1) == endless[:1]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_prompt_gives_the_same_again(engine: str) -> None:
    first, second = (answered(prefilled("llama", *ENGINES[engine], 16))[1] for _ in range(2))
    assert torch.equal(first, second)


def test_no_hook_is_left_behind() -> None:
    model = model_of("llama")
    prefilled("llama", *ENGINES["layerwise"], 12)
    prefilled("llama", *ENGINES["restart"], 12)
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("engine", [Layerwise(), Restart()])
def test_an_engine_that_is_not_resolved_says_so(engine: Engine) -> None:
    with pytest.raises(ValueError, match="select_layer is null: call resolved"):
        engine.prefill(Job(model_of("llama"), CLAA(), prompt(), 20, answer_tokens=1))


@pytest.mark.parametrize("engine", ["layerwise", "restart", "draft"])
def test_without_a_heuristic_only_the_full_engine_runs(engine: str) -> None:
    resolved = ENGINES[engine][0].resolved(ENGINES[engine][1], layers_of("llama"))
    with pytest.raises(ValueError, match="needs a heuristic to rank the tokens"):
        resolved.prefill(Job(model_of("llama"), None, prompt(), 20, answer_tokens=1))


def test_a_window_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="window is 0, must be at least 1 token"):
        Layerwise(window=0)


def test_the_slow_version_with_nothing_hidden_is_the_model() -> None:
    model: Any = model_of("llama")
    everything = list(range(TOKENS))
    hidden = Hidden(TOKENS, {0: everything}, {0: [everything, everything]})
    with torch.inference_mode():
        plain = model(input_ids=prompt()[None]).logits[0, -1:]
    assert torch.allclose(masked_logits(model, prompt(), [0], hidden), plain, atol=1e-5)


def test_layers_of_the_cases_are_those_of_the_models() -> None:
    assert layers_of("gemma2") == ModelLayers(3, (0, 1, 2), {0: 16, 2: 16})
