"""PrunedRun: what a visitor is shown, drops at several layers against a version that masks, positions, and what is refused."""

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.prefill.cases import ANSWER, TOKENS, model_of, prompt
from tests.prefill.slow import Hidden, masked_logits
from tokenrank.capture.decoder_layers import decoder_layers
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.needs import Needs
from tokenrank.capture.pruning import Keep, PrunedRun
from tokenrank.capture.reading import read
from tokenrank.models.architectures import ARCHITECTURES, tiny_of

FIRST = [*range(3, TOKENS - 3, 3), 37, 38, 39]  # places after the first drop
SECOND = [*FIRST[::3], 38, 39]  # and after the second
TWO_DROPS = [
    "llama",
    "mistral (window)",
    "gemma2",
    "qwen3",
    "gpt_oss",
    "qwen2 (window)",
    "gpt2",
    "opt",
    "phi3 (window)",
]


def answered(run: PrunedRun, logits: Tensor) -> tuple[list[int], Tensor]:
    """The greedy answer and the logits of each of its tokens."""
    answer, rows = [int(logits.argmax())], [logits]
    while len(answer) < ANSWER:
        rows.append(run.decode(answer[-1], TOKENS + len(answer) - 1))
        answer.append(int(rows[-1].argmax()))
    return answer, torch.stack(rows)


def twice(run: PrunedRun, cached: dict[int, list[list[int]]] | None = None) -> Tensor:
    """A prefill that drops tokens after layer 0 and again after layer 1; caches may be compressed too."""
    onward = {0: torch.tensor(FIRST), 1: torch.tensor(SECOND)}

    def visit(layer: AttentionLayer) -> Keep:
        places = (cached or {}).get(layer.index)
        return Keep(None if places is None else torch.tensor(places), onward.get(layer.index))

    return run.prefill(visit)


@pytest.mark.parametrize("implementation", [None, "eager"])
@pytest.mark.parametrize("architecture", TWO_DROPS)
def test_dropping_tokens_at_two_layers_is_masking_them(architecture: str, implementation: str | None) -> None:
    model = model_of(architecture, implementation)
    run = PrunedRun(model, prompt(), answer_tokens=ANSWER)
    answer, logits = answered(run, twice(run))
    hidden = Hidden(TOKENS, {0: FIRST, 1: SECOND}, {})
    assert torch.allclose(masked_logits(model, prompt(), answer, hidden), logits, atol=1e-4)
    only_first = Hidden(TOKENS, {0: FIRST}, {})
    assert not torch.allclose(masked_logits(model, prompt(), answer, only_first), logits, atol=1e-3)


@pytest.mark.parametrize("architecture", ["llama", "mistral (window)", "gemma2"])
def test_caches_are_compressed_to_places_in_the_prompt_after_a_drop_too(architecture: str) -> None:
    cached = {
        0: [[0, 5, 20, 39], [1, 30, 38, 39]],
        1: [[FIRST[0], FIRST[5], 39], [FIRST[2], FIRST[-2], 39]],
        2: [[SECOND[0], 39], [SECOND[1], 39]],
    }
    model = model_of(architecture)
    run = PrunedRun(model, prompt(), answer_tokens=ANSWER)
    answer, logits = answered(run, twice(run, cached))
    hidden = Hidden(TOKENS, {0: FIRST, 1: SECOND}, cached)
    assert torch.allclose(masked_logits(model, prompt(), answer, hidden), logits, atol=1e-4)
    assert [layer.get_seq_length() for layer in run.kept.cache.layers] == [each + ANSWER - 1 for each in (4, 3, 2)]  # type: ignore[union-attr]
    other = Hidden(TOKENS, hidden.drops, cached | {1: cached[1][::-1]})
    assert not torch.allclose(masked_logits(model, prompt(), answer, other), logits, atol=1e-3)


def test_a_hybrids_layers_read_what_two_drops_left_as_if_there_were_no_others() -> None:
    """Its state-space layers cannot be masked: the later layers are called by hand on the rows that are left."""
    model: Any = model_of("falcon_h1 (hybrid)")
    run = PrunedRun(model, prompt(), answer_tokens=1)
    found = twice(run)
    layers = decoder_layers(model)
    given: dict[str, Any] = {}
    handle = layers[1].register_forward_pre_hook(
        lambda _, args, named: given.update(named, states=args[0] if args else named["hidden_states"]), with_kwargs=True
    )
    with torch.inference_mode():
        model(input_ids=prompt()[None], use_cache=False)
        handle.remove()
        states = given.pop("states")
        rest = {name: value for name, value in given.items() if name not in ("hidden_states", "position_ids", "past_key_values", "use_cache")}  # fmt: skip
        for number, (left, rows) in enumerate([(FIRST, FIRST), (SECOND, [FIRST.index(place) for place in SECOND])], 1):
            states = states[:, rows]
            named = {name: tuple(part[:, left] for part in value) if isinstance(value, tuple) else value for name, value in rest.items()}  # fmt: skip
            output = layers[number](states, **named)
            states = output[0] if isinstance(output, tuple) else output
        wanted = model.get_output_embeddings()(model.base_model.final_layernorm(states[:, -1]))[0]
    assert torch.allclose(found, wanted * model.config.lm_head_multiplier, atol=1e-4)


@pytest.mark.parametrize("architecture", ["llama", "mistral (window)", "gemma2"])
def test_after_a_drop_the_visitor_is_shown_what_is_left(architecture: str) -> None:
    seen: list[AttentionLayer] = []
    whole: list[AttentionLayer] = []
    read(model_of(architecture), prompt(), whole.append, max_new_tokens=1)

    def visit(layer: AttentionLayer) -> Keep:
        seen.append(layer)
        return Keep(onward={0: torch.tensor(FIRST), 1: torch.tensor(SECOND)}.get(layer.index))

    PrunedRun(model_of(architecture), prompt(), answer_tokens=1).prefill(visit, Needs(values=True, window=8))
    assert [layer.index for layer in seen] == [0, 1, 2]
    for layer, places in zip(seen, (list(range(TOKENS)), FIRST, SECOND), strict=True):
        assert torch.equal(layer.input_ids, prompt()[places])
        assert layer.queries.shape[1] == layer.keys.shape[1] == layer.tokens == len(places)
        assert layer.values is not None
        assert layer.values.shape[1] == len(places)
        assert (list(range(TOKENS)) if layer.positions is None else layer.positions.tolist()) == places
    assert torch.allclose(seen[0].attention(TOKENS), whole[0].attention(TOKENS))
    if seen[2].sliding_window is not None:  # counted in original positions
        attention = seen[2].attention(len(SECOND))
        far = [place <= SECOND[-1] - seen[2].sliding_window for place in SECOND]
        assert attention[0, -1].eq(0).tolist() == far
        assert any(far)
        assert not torch.equal(replace(seen[2], positions=None).attention(len(SECOND)), attention)


def test_a_token_that_was_dropped_cannot_be_kept_later() -> None:
    run = PrunedRun(model_of("llama"), prompt(), answer_tokens=1)
    onward = {0: torch.tensor([5, 39]), 1: torch.tensor([6, 39])}
    with pytest.raises(ValueError, match="keeps a token that it dropped at an earlier layer"):
        run.prefill(lambda layer: Keep(onward=onward.get(layer.index)))
    run = PrunedRun(model_of("llama"), prompt(), answer_tokens=1)
    with pytest.raises(ValueError, match="keeps a token that it dropped at an earlier layer"):
        run.prefill(lambda layer: Keep(torch.tensor([[6], [5]]) if layer.index else None, torch.tensor([5, 39])))
    assert not any(module._forward_pre_hooks for module in model_of("llama").modules())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_keeping_every_token_at_every_layer_is_plain_prefill(architecture: str) -> None:
    everything = torch.arange(TOKENS)
    kept, plain = (PrunedRun(model_of(architecture), prompt(), answer_tokens=ANSWER) for _ in range(2))
    found = answered(kept, kept.prefill(lambda _: Keep(onward=everything)))
    wanted = answered(plain, plain.prefill())
    assert found[0] == wanted[0]
    assert torch.allclose(found[1], wanted[1], atol=1e-4)
    assert kept.kv_bytes() == plain.kv_bytes()


def test_the_layers_shown_are_those_of_a_reading() -> None:
    model = tiny_of("llama")
    wanted: list[AttentionLayer] = []
    found: list[AttentionLayer] = []
    read(model, prompt(), wanted.append, max_new_tokens=1)

    def visit(layer: AttentionLayer) -> Keep:
        found.append(layer)
        return Keep()

    PrunedRun(model, prompt(), answer_tokens=1).prefill(visit)
    assert len(found) == len(wanted) == 3
    for one, other in zip(found, wanted, strict=True):
        assert torch.equal(one.queries, other.queries)
        assert torch.equal(one.keys, other.keys)


@pytest.mark.parametrize(("last", "wanted"), [(0, [0]), (1, [0, 1]), (9, [0, 1, 2])])
def test_the_visitor_is_called_until_it_has_all_it_needs(last: int, wanted: list[int]) -> None:
    seen: list[int] = []

    def visit(layer: AttentionLayer) -> Keep:
        seen.append(layer.index)
        onward = torch.arange(5, TOKENS) if layer.index == 0 else None
        return Keep(onward=onward, last=layer.index == last)

    PrunedRun(tiny_of("llama"), prompt(), answer_tokens=1).prefill(visit)
    assert seen == wanted


def test_positions_are_where_the_tokens_stand() -> None:
    model: Any = tiny_of("llama")
    places = torch.tensor([0, 7, 8, 20])
    found = PrunedRun(model, prompt(4), answer_tokens=1, positions=places).prefill()
    with torch.inference_mode():
        wanted, elsewhere = (
            model(input_ids=prompt(4)[None], position_ids=each[None], attention_mask=torch.ones(1, 4)).logits[0, -1]
            for each in (places, torch.arange(4))
        )
    assert torch.allclose(found, wanted, atol=1e-5)
    assert not torch.allclose(found, elsewhere, atol=1e-3)


def test_more_tokens_than_were_asked_for_are_an_error() -> None:
    run = PrunedRun(tiny_of("llama"), prompt(), answer_tokens=1)
    run.prefill(lambda layer: Keep(torch.arange(5).expand(layer.kv_heads, -1)))
    run.decode(1, TOKENS)
    with pytest.raises(ValueError, match="room for 6 tokens, 7 were to be held"):
        run.decode(1, TOKENS + 1)


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="the prompt is empty"):
        PrunedRun(tiny_of("llama"), prompt(0), answer_tokens=1)


def test_a_model_that_accepts_no_positions_is_refused() -> None:
    model: Any = copy.deepcopy(tiny_of("llama"))
    plain = model.forward
    model.forward = lambda input_ids, past_key_values=None, **named: plain(
        input_ids=input_ids, past_key_values=past_key_values, **named
    )
    with pytest.raises(ValueError, match=r"LlamaForCausalLM.forward\(\) accepts no position_ids"):
        PrunedRun(model, prompt(), answer_tokens=1)
