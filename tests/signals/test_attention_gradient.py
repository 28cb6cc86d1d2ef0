"""Attention times gradient: against finite differences and the model's own attention; the memory that it says before it takes it."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.oracle.cases import GIVEN, SHAPES
from tests.prefill.cases import PLAIN, TOKENS, model_of, prompt
from tests.signals.slow_gradient import gated_logprobs, own_attention, slow_importance
from tokenrank.capture.answer_passes import AnswerPasses
from tokenrank.capture.reading import read
from tokenrank.capture.rules import AttentionRules
from tokenrank.models.architectures import tiny_of
from tokenrank.signals import attention_gradient
from tokenrank.signals.attention_gradient import attention_of, attention_times_gradient, gradient_bytes

SHORT = 20  # tokens: beyond the window of 16
HEADS = 4


def passes_of(model: Any, ids: Tensor, answer: list[int]) -> AnswerPasses:
    reading = read(model, ids, lambda _: None, max_new_tokens=len(answer), answer_ids=answer, keep_cache=True)
    assert reading.cache is not None
    return AnswerPasses(model, ids, torch.tensor(answer), reading.cache)


def exact(architecture: str) -> Any:
    """In float64, but for what the model itself computes in float32."""
    model: Any = tiny_of(architecture, "eager").double()
    if model._can_set_experts_implementation():
        model.set_experts_implementation("eager")  # others know no float64
    return model


@pytest.mark.parametrize("architecture", [*SHAPES, "mistral (window)"])
@pytest.mark.parametrize("answer", [[7, 3, 60], [7]])
def test_it_is_what_finite_differences_give(architecture: str, answer: list[int]) -> None:
    ids = prompt(SHORT)
    found = attention_times_gradient(passes_of(model_of(architecture), ids, answer))
    wanted = slow_importance(exact(architecture), ids, answer, HEADS)
    assert found.dtype == torch.float32
    assert torch.allclose(found, wanted, atol=1e-3 * float(wanted.max()))
    assert wanted.max() > 1.5 * wanted.median()


@pytest.mark.parametrize("architecture", SHAPES)
def test_the_slow_version_is_the_models_own_answer(architecture: str) -> None:
    model, ids = exact(architecture), prompt(SHORT)
    with torch.inference_mode():
        rows = model(input_ids=torch.cat([ids, torch.tensor(GIVEN[:-1])])[None]).logits[0, SHORT - 1 :].double()
    wanted = rows.log_softmax(dim=-1)[range(len(GIVEN)), GIVEN].sum()
    ungated = torch.ones(1, 3, HEADS, len(GIVEN), SHORT, dtype=torch.float64)
    assert torch.allclose(gated_logprobs(model, ids, GIVEN, ungated)[0], wanted, atol=1e-4)


@pytest.mark.parametrize("architecture", PLAIN)
def test_its_forward_pass_is_that_of_hidden_keys(architecture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On every architecture; weights, cache and prompt stay as they are."""
    model = tiny_of(architecture)
    passes = passes_of(model, prompt(), GIVEN)
    logits: list[Tensor] = []
    plain = AnswerPasses.attended

    def noted(self: AnswerPasses, attend: Any) -> Tensor:
        logits.append(plain(self, attend))
        return logits[-1]

    monkeypatch.setattr(AnswerPasses, "attended", noted)
    with torch.inference_mode():  # as an evaluation may be
        found = attention_times_gradient(passes)
    _, wanted = next(passes.logits(torch.ones(1, TOKENS, dtype=torch.bool)))
    assert torch.allclose(logits[0].detach(), wanted, atol=1e-4)
    assert found.shape == (TOKENS,)
    assert found.min() >= 0
    assert found.max() > 0
    assert all(each.requires_grad and each.grad is None for each in model.parameters())
    assert torch.allclose(attention_times_gradient(passes), found)


def test_weights_that_need_no_gradient_need_none_afterwards() -> None:
    model = tiny_of("llama").requires_grad_(False)
    wanted = attention_times_gradient(passes_of(model_of("llama"), prompt(), GIVEN))
    assert torch.equal(attention_times_gradient(passes_of(model, prompt(), GIVEN)), wanted)
    assert not any(each.requires_grad for each in model.parameters())


@pytest.mark.parametrize(
    "rules",
    [
        AttentionRules(scaling=0.3),
        AttentionRules(scaling=0.3, softcap=0.5),
        AttentionRules(scaling=0.3, sinks=torch.tensor([0.0, 1.0, -1.0, 3.0])),
    ],
)
def test_attention_follows_the_rules(rules: AttentionRules) -> None:
    draw = torch.Generator().manual_seed(0)
    query, key = (torch.randn(heads, 9, 8, generator=draw) for heads in (4, 2))
    found = attention_of(query, key, rules, torch.ones(9, 9, dtype=torch.bool).tril())
    assert torch.allclose(found, own_attention(query[None], key[None], rules)[0], atol=1e-6)


def saved_bytes(model: Any, passes: AnswerPasses) -> int:
    """Bytes that are held for the backward pass, weights left out."""
    weights = {each.untyped_storage().data_ptr() for each in model.parameters()}
    held: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in weights:
            held[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        attention_times_gradient(passes)
    return sum(each.untyped_storage().nbytes() for each in held.values())


@pytest.mark.parametrize("architecture", PLAIN)
@pytest.mark.parametrize(("tokens", "answer"), [(40, 6), (120, 3)])
def test_what_it_says_to_need_is_what_it_holds(
    architecture: str, tokens: int, answer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[int] = []
    monkeypatch.setattr(attention_gradient, "check_memory", lambda needed, device: said.append(needed))
    model = model_of(architecture)
    held = saved_bytes(model, passes_of(model, prompt(tokens), [*range(answer)]))
    assert len(said) == 1
    assert held < said[0] < 4 * held


def test_memory_that_is_not_free_is_said_before_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of("llama")
    passes = passes_of(model, prompt(), GIVEN)
    computed: list[Tensor] = []
    plain = attention_of

    def noted(*given: Any) -> Tensor:
        computed.append(plain(*given))
        return computed[-1]

    monkeypatch.setattr(attention_gradient, "attention_of", noted)
    monkeypatch.setattr(attention_gradient, "free_bytes", lambda device: 3 * 2**20)
    attention_times_gradient(passes)
    assert len(computed) == 3
    monkeypatch.setattr(attention_gradient, "gradient_bytes", lambda *given: 5 * 2**30)
    monkeypatch.setattr(attention_gradient, "free_bytes", lambda device: 2**30)
    with pytest.raises(ValueError, match=r"the gradient needs about 5\.00 GiB on cpu, and 1\.00 GiB are free: take"):
        attention_times_gradient(passes)
    assert len(computed) == 3
    assert all(each.requires_grad for each in model.parameters())
    monkeypatch.setattr(attention_gradient, "free_bytes", lambda device: None)
    attention_times_gradient(passes)


def test_need_grows_with_layers_heads_answer_and_prompt() -> None:
    passes = passes_of(model_of("llama"), prompt(), GIVEN)
    query, key = torch.zeros(1, 4, 5, 8), torch.zeros(1, 2, 1000, 8)
    few = gradient_bytes(passes, query, key, key, AttentionRules(scaling=1.0))
    many = gradient_bytes(passes, query, key.repeat(1, 1, 2, 1), key.repeat(1, 1, 2, 1), AttentionRules(scaling=1.0))
    assert many - few == 4 * (3 * (4 * 5 * 1000 + 2 * 2 * 8 * 1000) + 3 * 4 * 5 * 1000)
