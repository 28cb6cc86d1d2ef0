"""PrunedRun.feed: several answer tokens in one pass, against token by token and against a full pass with an explicit mask."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.prefill.cases import ANSWER, ENGINES, HYBRID, TOKENS, layers_of, model_of, prompt
from tests.prefill.slow import Hidden, masked_logits
from tokenrank.capture import pruning
from tokenrank.capture.attention import FUSED
from tokenrank.capture.cache import can_go_back
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.position_masks import PositionMasks
from tokenrank.capture.pruning import Keep, PrunedRun
from tokenrank.models.architectures import ARCHITECTURES, tiny_of
from tokenrank.prefill.engine import Job, Prefilled

KEPT = 18  # of 40 tokens
FED = torch.tensor([7, 3, 60, 21, 5])  # answer tokens
ONWARD = [*range(3, TOKENS - 3, 3), 37, 38, 39]
CACHED = {0: [[0, 5, 20, 39], [1, 30, 38, 39]], 1: [[3, 18, 39], [9, 37, 39]]}


def read(architecture: str, engine: str, implementation: str | None = None) -> Prefilled:
    own, heuristic = ENGINES[engine]
    model = model_of(architecture, implementation)
    resolved = own.resolved(heuristic, layers_of(architecture))
    return resolved.prefill(Job(model, heuristic, prompt(), KEPT, answer_tokens=ANSWER))


def one_by_one(done: Prefilled, ids: Tensor = FED) -> Tensor:
    return torch.stack([done.decode(int(token), step) for step, token in enumerate(ids)])


@pytest.mark.parametrize("engine", ["full", "layerwise", "restart"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_fed_together_is_fed_one_by_one(architecture: str, engine: str) -> None:
    done = read(architecture, engine)
    found = done.run.feed(FED, done.next_position)
    wanted = one_by_one(read(architecture, engine))
    assert found.shape == wanted.shape
    assert torch.allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("architecture", ["llama", "mistral (window)", "qwen2 (window)", "gpt2", "phi3 (window)"])
def test_fed_together_is_a_full_pass_in_which_dropped_tokens_are_masked(architecture: str, implementation: str) -> None:
    model = model_of(architecture, implementation)
    run = PrunedRun(model, prompt(), answer_tokens=ANSWER)
    cached = dict(CACHED)
    if run.model.config.model_type == "gpt2":
        cached = {layer: (rows * 2) for layer, rows in CACHED.items()}  # as many key heads as heads

    def visit(layer: AttentionLayer) -> Keep:
        places = cached.get(layer.index)
        onward = torch.tensor(ONWARD) if layer.index == 0 else None
        return Keep(None if places is None else torch.tensor(places), onward)

    first = run.prefill(visit)
    found = torch.cat([first[None], run.feed(FED, TOKENS)])
    hidden = Hidden(TOKENS, {0: ONWARD}, cached)
    wanted = masked_logits(model, prompt(), [*FED.tolist(), 0], hidden)
    assert torch.allclose(found, wanted, atol=1e-4)
    run.back()
    elsewhere = run.feed(FED, TOKENS + 1)
    assert not torch.allclose(elsewhere, wanted[1:], atol=1e-3)


def test_with_no_mask_the_keys_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = one_by_one(read("llama", "layerwise"))
    monkeypatch.setattr(PositionMasks, "of_answer", lambda *_: None)
    assert model_of("llama").config._attn_implementation == FUSED
    found = read("llama", "layerwise").run.feed(FED, TOKENS)
    assert not torch.allclose(found, wanted, atol=1e-2)


@pytest.mark.parametrize("engine", ["full", "layerwise", "restart"])
@pytest.mark.parametrize("architecture", ["llama", "mistral (window)", "deepseek_v3 (yarn)", *HYBRID])
def test_after_going_back_an_answer_is_decoded_as_if_none_had_been_fed(architecture: str, engine: str) -> None:
    done, fresh = read(architecture, engine), read(architecture, engine)
    held = done.kv_bytes()
    fed = [done.run.feed(FED, done.next_position)]
    assert done.kv_bytes() > held or "window" in architecture
    for _ in range(2):
        done.run.back()
        assert done.kv_bytes() == held
        fed.append(done.run.feed(FED, done.next_position))
    assert torch.equal(fed[0], fed[1])
    assert torch.equal(fed[0], fed[2])
    done.run.back()
    assert torch.equal(one_by_one(done, FED[:3]), one_by_one(fresh, FED[:3]))
    done.run.back()
    assert done.answer(ANSWER) == read(architecture, engine).answer(ANSWER)


def test_going_back_after_an_answer_that_did_not_fit() -> None:
    done, fresh = read("mistral (window)", "layerwise"), read("mistral (window)", "layerwise")
    with pytest.raises(ValueError, match="the cache has room for"):
        done.run.feed(torch.arange(ANSWER + 1), TOKENS)
    done.run.back()
    assert torch.equal(done.run.feed(FED, TOKENS), fresh.run.feed(FED, TOKENS))


@pytest.mark.parametrize("architecture", HYBRID)
def test_a_hybrid_cannot_forget_without_its_states(architecture: str) -> None:
    """What ``back`` is for there: fed a second time without it, the answer goes on from the first."""
    done = read(architecture, "layerwise")
    assert not can_go_back(done.run.kept.cache)
    first = done.run.feed(FED[:2], TOKENS)
    assert not torch.allclose(done.run.feed(FED[:2], TOKENS), first, atol=1e-3)


def test_with_dynamic_frequencies_each_token_is_read_as_in_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    model: Any = tiny_of("llama")
    config = model.config
    config.rope_parameters = {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 4.0}
    config.max_position_embeddings = TOKENS + 2
    model = type(model)(config).eval()
    runs = [PrunedRun(model, prompt(), answer_tokens=ANSWER) for _ in range(2)]
    for run in runs:
        run.prefill(lambda layer: Keep(torch.tensor(CACHED[0]) if layer.index == 0 else None))
    wanted = torch.stack([runs[0].decode(int(token), TOKENS + step) for step, token in enumerate(FED)])
    assert torch.allclose(runs[1].feed(FED, TOKENS), wanted, atol=1e-4)
    runs[1].back()
    monkeypatch.setattr(pruning, "in_passes", lambda _, ids, start: [(ids, start)])
    assert not torch.allclose(runs[1].feed(FED, TOKENS), wanted, atol=1e-3)


def test_an_answer_without_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="there are no tokens to be fed"):
        read("llama", "full").run.feed(FED[:0], TOKENS)
