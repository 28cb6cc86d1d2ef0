"""Latent attention (MLA) caches one head for all key heads: reading, and every engine against the slow version that masks."""

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from tests.prefill.cases import ANSWER, ENGINES, TOKENS, answered, prompt
from tests.prefill.slow import Hidden, masked_logits
from tests.prefill.test_layerwise import RANKERS, WINDOW, slow_best
from tokenrank.capture.deviation import answer_truth, furthest, own_attention
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.pruning import Keep, PrunedRun
from tokenrank.capture.reading import read
from tokenrank.heuristics.gemfilter import GemFilter
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.heuristics.keynorm import KeyNorm
from tokenrank.heuristics.speculative import Speculative
from tokenrank.models.architectures import SHAPE
from tokenrank.prefill.draft import Draft
from tokenrank.prefill.engine import Engine, Job, Prefilled
from tokenrank.prefill.kept_tokens import of_cached_heads
from tokenrank.prefill.layerwise import Layerwise
from tokenrank.prefill.restart import Restart

HEADS, LATENT, ROTARY = 4, 16, 8
MLA = {
    "num_key_value_heads": HEADS, "q_lora_rank": 12, "kv_lora_rank": LATENT, "qk_rope_head_dim": ROTARY, "qk_nope_head_dim": 8,
    "v_head_dim": 12, "head_dim": ROTARY, "first_k_dense_replace": 1, "moe_intermediate_size": 16, "n_routed_experts": 4,
    "n_shared_experts": 1, "num_experts_per_tok": 2, "n_group": 2, "topk_group": 1,
}  # fmt: skip
YARN = {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 16, "rope_theta": 10000.0, "mscale": 1.0, "mscale_all_dim": 0.7}  # fmt: skip
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "deepseek_v2": ("deepseek_v2", MLA),
    "deepseek_v2 (yarn)": ("deepseek_v2", {**MLA, "rope_parameters": YARN}),
    "deepseek_v3": ("deepseek_v3", MLA),
    "deepseek_v3 (yarn)": ("deepseek_v3", {**MLA, "rope_parameters": YARN}),
    "minicpm3": ("minicpm3", MLA),
    "youtu": ("youtu", MLA),
    "glm4_moe_lite": ("glm4_moe_lite", MLA),
}


@cache
def latent(name: str, implementation: str | None = None) -> Any:
    kind, settings = MODELS[name]
    chosen = {} if implementation is None else {"attn_implementation": implementation}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = AutoConfig.for_model(kind, **(SHAPE | settings))
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, **chosen)  # type: ignore[no-untyped-call]
    model.train(False)
    return model


def run(name: str, engine: Engine, heuristic: Heuristic, kept: int) -> Prefilled:
    model = latent(name)
    resolved = engine.resolved(heuristic, model_layers(model))
    return resolved.prefill(Job(model, heuristic, prompt(), kept, answer_tokens=ANSWER))


def hidden_by(name: str, heuristic: Heuristic, kept: int, select: int, min_layer: int) -> Hidden:
    """What the layerwise engine should remove: the cache's one head keeps the best tokens of the mean over all heads."""
    rows: list[Tensor] = []
    cached: dict[int, list[list[int]]] = {}

    def visit(layer: Any) -> None:
        rows.append(heuristic.score(layer))
        if min_layer <= layer.index <= select:
            cached[layer.index] = [slow_best(heuristic.score_heads(layer).sum(dim=0) / HEADS, kept)] * HEADS

    read(latent(name), prompt(), visit, max_new_tokens=1, needs=heuristic.needs)
    ranking = heuristic.combine(torch.stack(rows[: select + 1]))[-1]
    return Hidden(TOKENS, {select: slow_best(ranking, kept)}, cached)


@pytest.mark.parametrize("kept", [8, 16])
@pytest.mark.parametrize("min_layer", [0, 1])
@pytest.mark.parametrize("name", MODELS)
def test_the_cache_is_compressed_by_its_own_head(name: str, min_layer: int, kept: int) -> None:
    engine = Layerwise(window=WINDOW, select_layer=1, min_layer=min_layer)
    for heuristic in (RANKERS["claa"], RANKERS["tova"], KeyNorm()):
        answer, logits = answered(run(name, engine, heuristic, kept))
        hidden = hidden_by(name, heuristic, kept, 1, min_layer)
        assert torch.allclose(masked_logits(latent(name), prompt(), answer, hidden), logits, atol=1e-4)


def test_the_slow_version_notices_another_token() -> None:
    answer, logits = answered(run("deepseek_v3", Layerwise(window=WINDOW, select_layer=1), RANKERS["claa"], 8))
    hidden = hidden_by("deepseek_v3", RANKERS["claa"], 8, 1, 0)
    others = {1: [[token - 1 for token in row] for row in hidden.cached[1]]}
    wrong = Hidden(TOKENS, hidden.drops, {**hidden.cached, **others})
    assert not torch.allclose(masked_logits(latent("deepseek_v3"), prompt(), answer, wrong), logits, atol=1e-3)


@pytest.mark.parametrize("name", MODELS)
def test_the_draft_engine_hides_what_it_does_not_keep(name: str) -> None:
    speculative = Speculative(look_ahead=3, kernel=3)
    wanted = slow_best(speculative.draft_scores(latent(name), prompt()), 12)
    answer, logits = answered(run(name, Draft(window=WINDOW), speculative, 12))
    assert torch.allclose(
        masked_logits(latent(name), prompt(), answer, Hidden(TOKENS, {-1: wanted}, {})), logits, atol=1e-4
    )


@pytest.mark.parametrize("name", MODELS)
def test_the_restart_engine_answers_as_if_the_kept_tokens_were_the_prompt(name: str) -> None:
    done = run(name, Restart(window=WINDOW), GemFilter(), 12)
    plain = latent(name).generate(prompt()[done.kept][None], attention_mask=torch.ones(1, 12), max_new_tokens=ANSWER,
        do_sample=False, output_logits=True, return_dict_in_generate=True)  # fmt: skip
    answer, logits = answered(done)
    assert answer == plain.sequences[0, 12:].tolist()
    assert torch.allclose(logits, torch.cat(plain.logits), atol=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", MODELS)
def test_with_every_token_kept_the_answer_is_plain_generations(name: str, engine: str) -> None:
    plain = latent(name).generate(prompt()[None], attention_mask=torch.ones(1, TOKENS), max_new_tokens=ANSWER,
        do_sample=False, output_logits=True, return_dict_in_generate=True)  # fmt: skip
    answer, logits = answered(run(name, *ENGINES[engine], TOKENS))
    assert answer == plain.sequences[0, TOKENS:].tolist()
    assert torch.allclose(logits, torch.cat(plain.logits), atol=1e-4)


def test_bytes_are_those_of_the_latents() -> None:
    """Three layers of (one latent head + its rotary part) floats a token: 12 tokens in the first two, 12 in the last."""
    done = run("deepseek_v3", Layerwise(window=WINDOW, select_layer=1), RANKERS["claa"], 12)
    assert done.kv_bytes() == 3 * 12 * (LATENT + ROTARY) * 4
    done.decode(done.first_token, 0)
    assert done.kv_bytes() == 3 * 13 * (LATENT + ROTARY) * 4
    whole = run("deepseek_v3", *ENGINES["full"], TOKENS)
    assert whole.kv_bytes() == 3 * TOKENS * (LATENT + ROTARY) * 4


def test_tokens_kept_by_key_head_are_refused() -> None:
    pruned = PrunedRun(latent("deepseek_v3"), prompt(), answer_tokens=1)
    assert not any(module._forward_pre_hooks for module in latent("deepseek_v3").modules())
    with pytest.raises(ValueError, match="tokens are kept for 4 heads of layer 0, must be for the 1 that are cached"):
        pruned.prefill(lambda layer: Keep(torch.arange(5).expand(layer.kv_heads, -1)))
    found = PrunedRun(latent("deepseek_v3"), prompt(), answer_tokens=1)
    found.prefill(lambda layer: Keep(torch.arange(5).expand(found.cached_heads(layer.index), -1)))
    assert [each.shape[1] for each in (found.kept.held(layer) for layer in range(3))] == [5, 5, 5]


def test_heads_that_share_nothing_evenly_are_refused() -> None:
    assert of_cached_heads(torch.eye(4), 4).equal(torch.eye(4))
    assert of_cached_heads(torch.eye(4), 2).tolist() == [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]]
    with pytest.raises(ValueError, match="scores of 4 key heads, must be a multiple of the 3"):
        of_cached_heads(torch.eye(4), 3)


@pytest.mark.parametrize("name", MODELS)
def test_attention_is_the_models_own_over_the_prompt_and_of_the_answer(name: str) -> None:
    wanted = own_attention(latent(name, "eager"), prompt())
    found: list[float] = []

    def visit(layer: Any) -> None:
        found.append(furthest(layer, wanted[layer.index]))

    reading = read(latent(name), prompt(), visit, max_new_tokens=ANSWER)
    truth = answer_truth(latent(name, "eager"), prompt(), reading.answer_ids, reading.answer_layers)
    found += map(furthest, reading.answer_layers, truth)
    assert len(found) == 6
    assert max(found) < 1e-5
