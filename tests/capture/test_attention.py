"""``watch``: captured attention equals the model's own eager attention, logits stay the same bit for bit, what is refused."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM

from tokenrank.capture.attention import EAGER, FUSED, watch
from tokenrank.capture.deviation import answer_truth, furthest, own_attention
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.reading import read
from tokenrank.models.architectures import ARCHITECTURES, SHAPE, tiny_of

PROMPT, ANSWER = 40, 5  # tokens; a window of 16 reaches from the answer's end into the prompt
TOKENS = SHAPE["vocab_size"]
CASES = [(name, tiny_of(name).config._attn_implementation) for name in ARCHITECTURES]
CASES += [
    (name, "eager") for name in ("llama", "mistral (window)", "qwen3", "gemma3", "phi3", "opt", "gpt2", "gpt_neox")
]
WINDOWED = [name for name in ARCHITECTURES if "(window)" in name] + ["gemma2", "gemma3", "gpt_oss", "cohere2"]
RULES = [
    *((name, "scale") for name in ARCHITECTURES),
    *((name, "sliding_window") for name in WINDOWED),
    ("gemma2", "softcap"),
    ("gpt_oss", "sinks"),
    ("granite_swa (window)", "sinks"),
    ("mimo_v2_flash (window)", "sinks"),
]


def prompt(tokens: int = PROMPT) -> Tensor:
    return torch.randint(0, TOKENS, (tokens,), generator=torch.Generator().manual_seed(1))


@cache
def captured(architecture: str, implementation: str, part: str) -> list[tuple[AttentionLayer, Tensor]]:
    """Each layer of the prompt's or the answer's pass, and what eager attention says of the same queries."""
    passing: list[AttentionLayer] = []
    reading = read(tiny_of(architecture, implementation), prompt(), passing.append, max_new_tokens=ANSWER)
    eager = tiny_of(architecture, "eager")
    if part == "prefill":
        return list(zip(passing, own_attention(eager, prompt()), strict=True))
    truth = answer_truth(eager, prompt(), reading.answer_ids, reading.answer_layers)
    return list(zip(reading.answer_layers, truth, strict=True))


@pytest.mark.parametrize("part", ["prefill", "answer"])
@pytest.mark.parametrize(("architecture", "implementation"), CASES)
def test_captured_attention_is_the_models_own(architecture: str, implementation: str, part: str) -> None:
    pairs = captured(architecture, implementation, part)
    assert pairs
    for layer, truth in pairs:
        assert truth.shape == (4, PROMPT if part == "prefill" else ANSWER, PROMPT)
        assert furthest(layer, truth) < 1e-5


@pytest.mark.parametrize(("architecture", "implementation"), CASES)
def test_the_answer_is_that_of_plain_generation(architecture: str, implementation: str) -> None:
    ids = prompt()
    plain: Any = tiny_of(architecture, implementation)
    wanted = plain.generate(ids[None], attention_mask=torch.ones(1, PROMPT), max_new_tokens=ANSWER, do_sample=False)
    found = read(tiny_of(architecture, implementation), ids, lambda _: None, max_new_tokens=ANSWER)
    assert found.answer_ids.tolist() == wanted[0, PROMPT:].tolist()


@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if "(hybrid)" in name])
def test_of_a_hybrid_the_layers_with_attention_are_captured(name: str) -> None:
    layers = [layer.index for layer, _ in captured(name, "sdpa", "prefill")]
    assert layers == ([0, 1, 2] if name == "falcon_h1 (hybrid)" else [1])  # that one has both in every layer


@pytest.mark.parametrize("part", ["prefill", "answer"])
@pytest.mark.parametrize(("architecture", "rule"), RULES)
def test_a_wrong_rule_would_be_noticed(architecture: str, rule: str, part: str) -> None:
    implementation = dict(CASES)[architecture]
    ruled = [pair for pair in captured(architecture, implementation, part) if getattr(pair[0], rule) is not None]
    assert ruled
    for layer, truth in ruled:
        wrong: dict[str, Any] = {rule: layer.scale * 1.1 if rule == "scale" else None}
        assert furthest(replace(layer, **wrong), truth) > 1e-3


@pytest.mark.parametrize(("implementation", "route"), [("sdpa", FUSED), ("eager", EAGER)])
def test_the_route_follows_the_implementation(implementation: str, route: str) -> None:
    model = tiny_of("llama", implementation)
    watch(model)
    assert model.config._attn_implementation == route
    watch(model)  # a second time changes nothing
    assert model.config._attn_implementation == route


@pytest.mark.parametrize(("architecture", "implementation"), CASES)
def test_logits_stay_bit_for_bit_what_they_were(architecture: str, implementation: str) -> None:
    plain, watched = tiny_of(architecture, implementation), tiny_of(architecture, implementation)
    watch(watched)
    seen: list[int] = []

    def visitor(module: nn.Module, *_: object) -> None:
        seen.append(int(module.layer_idx))  # type: ignore[arg-type]

    ids = torch.stack([prompt(), prompt().flip(0)])
    mask = torch.ones_like(ids)
    mask[1, :6] = 0  # one prompt is padded on the left
    with torch.inference_mode():
        expected = plain(input_ids=ids, attention_mask=mask).logits
        assert torch.equal(watched(input_ids=ids, attention_mask=mask).logits, expected)
        assert not seen
        assert torch.equal(watched(input_ids=ids, attention_mask=mask, on_attention=visitor).logits, expected)
    assert seen == [layer.index for layer, _ in captured(architecture, implementation, "prefill")]


def test_a_model_without_weights_is_watched_too() -> None:
    with torch.device("meta"):
        model = tiny_of("llama")
    assert model.device.type == "meta"
    watch(model)
    seen: list[int] = []
    ids = torch.zeros(1, 3, dtype=torch.int64, device="meta")
    visitor: Any = lambda module, *_: seen.append(module.layer_idx)  # noqa: E731
    model(input_ids=ids, attention_mask=torch.ones(1, 1, 3, 3, device="meta").bool(), on_attention=visitor)
    assert seen == [0, 1, 2]


def test_a_visitor_that_writes_would_change_the_logits() -> None:
    model = tiny_of("llama", "sdpa")
    watch(model)

    def vandal(_module: nn.Module, query: Tensor, *_: object) -> None:
        query.zero_()

    with torch.inference_mode():
        untouched = model(input_ids=prompt()[None]).logits
        assert not torch.equal(model(input_ids=prompt()[None], on_attention=vandal).logits, untouched)


def test_the_visitor_sees_queries_keys_and_the_scale() -> None:
    model = tiny_of("llama", "sdpa")
    watch(model)
    seen: list[tuple[torch.Size, torch.Size, float]] = []
    with torch.inference_mode():
        model(
            input_ids=prompt()[None],
            on_attention=lambda _, q, k, _values, rules: seen.append((q.shape, k.shape, rules.scaling)),
        )
    assert seen == [((1, 4, PROMPT, 8), (1, 2, PROMPT, 8), 8**-0.5)] * SHAPE["num_hidden_layers"]


@pytest.mark.parametrize(
    ("architecture", "name", "shape"),
    [
        ("bloom", "BloomForCausalLM", {"hidden_size": 32, "n_layer": 2, "n_head": 4}),
        ("gptj", "GPTJForCausalLM", {"n_embd": 32, "n_layer": 2, "n_head": 4, "rotary_dim": 4}),
    ],
)
def test_a_model_outside_the_attention_interface_is_an_error(
    architecture: str, name: str, shape: dict[str, int]
) -> None:
    config = AutoConfig.for_model(architecture, vocab_size=64, bos_token_id=None, eos_token_id=None, **shape)
    with pytest.raises(ValueError, match=f"{name} computes attention outside"):
        watch(AutoModelForCausalLM.from_config(config))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("setting", "rule"), [("attention_chunk_size", "chunked attention"), ("num_kv_shared_layers", "key-value sharing")]
)
def test_a_rule_that_capture_does_not_know_is_an_error(setting: str, rule: str) -> None:
    model = tiny_of("llama")
    setattr(model.config, setting, 2)
    with pytest.raises(ValueError, match=f"LlamaForCausalLM uses {rule}"):
        watch(model)


def test_an_implementation_without_a_route_is_an_error() -> None:
    with pytest.raises(ValueError, match="LlamaForCausalLM was loaded with attn_implementation='flex_attention'"):
        watch(tiny_of("llama", "flex_attention"))
