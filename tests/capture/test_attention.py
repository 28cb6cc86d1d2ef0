"""``watch``: the route it takes, attention equal to the model's own eager attention, logits left bit for bit, errors."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from capture.attention import EAGER, FUSED, watch
from capture.layer import AttentionLayer
from capture.reading import read

PROMPT, ANSWER, WINDOW = 40, 5, 16  # tokens; the window reaches from the answer's end into the prompt
SHAPE: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "initializer_range": 0.3,  # large enough for attention to be uneven
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
}
MODELS: dict[str, dict[str, Any]] = {
    "llama": {},
    "qwen3": {},  # norms its queries and keys
    "mistral": {"sliding_window": WINDOW},
    "gemma2": {"sliding_window": WINDOW, "attn_logit_softcapping": 3.0, "query_pre_attn_scalar": 16},
    "gemma3_text": {
        "sliding_window": WINDOW,
        "query_pre_attn_scalar": 4,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    },
    "gpt_oss": {"initializer_range": 0.2, "sliding_window": WINDOW, "num_local_experts": 4, "num_experts_per_tok": 2},
}
CASES = [
    ("llama", "sdpa"),
    ("llama", "eager"),
    ("qwen3", "sdpa"),
    ("mistral", "sdpa"),
    ("mistral", "eager"),
    ("gemma2", "eager"),
    ("gemma3_text", "sdpa"),
    ("gpt_oss", "eager"),
]
RULES = [
    *((model, "scale") for model in MODELS),
    *((model, "sliding_window") for model in ("mistral", "gemma2", "gemma3_text", "gpt_oss")),
    ("gemma2", "softcap"),
    ("gpt_oss", "sinks"),
]


def tiny(architecture: str, implementation: str) -> PreTrainedModel:
    """A random model; the same weights whatever the implementation."""
    config = AutoConfig.for_model(architecture, **(SHAPE | MODELS[architecture]))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, attn_implementation=implementation)  # type: ignore[no-untyped-call]
    model.train(False)
    return model


def prompt(tokens: int = PROMPT) -> Tensor:
    return torch.randint(0, SHAPE["vocab_size"], (tokens,), generator=torch.Generator().manual_seed(1))


def over_prompt(rows: Tensor, sinks: Tensor | None) -> Tensor:
    """Eager's rows, (heads, rows, prompt and answer tokens), as if there had been no answer keys."""
    of_prompt, of_answer = rows[..., :PROMPT], rows[..., PROMPT:]
    # what is left without the answer keys: the prompt's share and, where there is one, the sink's
    return of_prompt / (of_prompt.sum(-1, keepdim=True) if sinks is None else 1 - of_answer.sum(-1, keepdim=True))


@cache
def captured(architecture: str, implementation: str, part: str) -> list[tuple[AttentionLayer, Tensor]]:
    """Each layer of the prompt's or the answer's pass, and what eager attention says of the same queries."""
    passing: list[AttentionLayer] = []
    reading = read(tiny(architecture, implementation), prompt(), passing.append, max_new_tokens=ANSWER)
    eager = tiny(architecture, "eager")
    ids = prompt() if part == "prefill" else torch.cat([prompt(), reading.answer_ids[:-1]])
    with torch.inference_mode():
        truth: Iterable[Tensor] = eager(input_ids=ids[None], output_attentions=True).attentions
        if part == "prefill":
            return [(layer, rows[0]) for layer, rows in zip(passing, truth, strict=True)]
        pairs = zip(reading.answer_layers, truth, strict=True)
        return [(layer, over_prompt(rows[0, :, PROMPT - 1 :], layer.sinks)) for layer, rows in pairs]


def furthest(layer: AttentionLayer, truth: Tensor) -> float:
    """Largest difference between the layer's attention and the truth."""
    with torch.inference_mode():
        return float((layer.attention(layer.queries.shape[1]) - truth).abs().max())


@pytest.mark.parametrize("part", ["prefill", "answer"])
@pytest.mark.parametrize(("architecture", "implementation"), CASES)
def test_captured_attention_is_the_models_own(architecture: str, implementation: str, part: str) -> None:
    pairs = captured(architecture, implementation, part)
    assert len(pairs) == SHAPE["num_hidden_layers"]
    for layer, truth in pairs:
        assert truth.shape == (4, PROMPT if part == "prefill" else ANSWER, PROMPT)
        assert furthest(layer, truth) < 1e-5


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
    model = tiny("llama", implementation)
    watch(model)
    assert model.config._attn_implementation == route
    watch(model)  # a second time changes nothing
    assert model.config._attn_implementation == route


@pytest.mark.parametrize(("architecture", "implementation"), CASES)
def test_logits_stay_bit_for_bit_what_they_were(architecture: str, implementation: str) -> None:
    plain, watched = tiny(architecture, implementation), tiny(architecture, implementation)
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
    assert seen == list(range(SHAPE["num_hidden_layers"]))


def test_a_visitor_that_writes_would_change_the_logits() -> None:
    model = tiny("llama", "sdpa")
    watch(model)

    def vandal(_module: nn.Module, query: Tensor, *_: object) -> None:
        query.zero_()

    with torch.inference_mode():
        untouched = model(input_ids=prompt()[None]).logits
        assert not torch.equal(model(input_ids=prompt()[None], on_attention=vandal).logits, untouched)


def test_the_visitor_sees_queries_keys_and_the_scale() -> None:
    model = tiny("llama", "sdpa")
    watch(model)
    seen: list[tuple[torch.Size, torch.Size, float]] = []
    with torch.inference_mode():
        model(
            input_ids=prompt()[None],
            on_attention=lambda _, q, k, _values, rules: seen.append((q.shape, k.shape, rules["scaling"])),
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


def test_an_implementation_without_a_route_is_an_error() -> None:
    with pytest.raises(ValueError, match="LlamaForCausalLM was loaded with attn_implementation='flex_attention'"):
        watch(tiny("llama", "flex_attention"))
