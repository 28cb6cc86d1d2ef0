"""Masks held against causality and windows: what is found when a model is inspected, and what is compared for each prompt."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.masking_utils import (
    and_masks,
    bidirectional_mask_function,
    causal_mask_function,
    chunked_overlay,
    eager_mask,
    or_masks,
    sdpa_mask,
    sliding_window_causal_mask_function,
)

from tests.capture.odd_models import odd_model, window_in_the_mask
from tokenrank.capture.attention import watch
from tokenrank.capture.deviation import answer_truth, furthest, own_attention
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.model_masks import MadeMask, MaskCheck, noted, noting_masks
from tokenrank.capture.partial import read_up_to
from tokenrank.capture.position_masks import visible
from tokenrank.capture.pruning import PrunedRun
from tokenrank.capture.reading import read
from tokenrank.capture.rules import WINDOW as MARK
from tokenrank.capture.rules import AttentionRules
from tokenrank.models.architectures import WINDOW, tiny_of

PROMPT, ANSWER = 40, 5  # tokens


def prompt() -> Tensor:
    return torch.randint(0, 64, (PROMPT,), generator=torch.Generator().manual_seed(1))


def test_a_query_sees_itself_and_what_its_window_reaches() -> None:
    wanted = [[k <= q and q - k < 3 for k in range(6)] for q in range(2, 5)]
    assert visible(torch.arange(2, 5), torch.arange(6), 3).tolist() == wanted
    assert visible(torch.arange(2, 5), torch.arange(6), None).tolist() == [
        [k <= q for k in range(6)] for q in (2, 3, 4)
    ]


@pytest.mark.parametrize(
    ("function", "window", "right"),
    [
        (causal_mask_function, None, True),
        (sliding_window_causal_mask_function(5), 5, True),
        (sliding_window_causal_mask_function(4096), 4096, True),
        (sliding_window_causal_mask_function(5), None, False),
        (sliding_window_causal_mask_function(5), 6, False),
        (causal_mask_function, 5, False),
        (bidirectional_mask_function, None, False),
        (and_masks(chunked_overlay(5, torch.zeros(1, dtype=torch.int64)), causal_mask_function), 5, False),
        (or_masks(causal_mask_function, lambda _b, _h, q, k: (q < 2) & (k < 2)), None, False),
    ],
)
def test_rows_beyond_the_window_tell_whether_a_mask_is_causal(
    function: Callable[..., Tensor], window: int | None, *, right: bool
) -> None:
    assert MadeMask(torch.ones(1), function, window, use_vmap=False).is_causal_and_windowed() == right


def test_a_mask_that_depends_on_the_tokens_is_left_to_the_prompts() -> None:
    blocks = torch.zeros(1, 1, dtype=torch.int64)  # of the one token of the inspection
    by_token = or_masks(causal_mask_function, lambda b, _h, q, k: blocks[b, q] == blocks[b, k])
    assert MadeMask(torch.ones(1), by_token, None, use_vmap=False).is_causal_and_windowed()


@pytest.mark.parametrize("make", [sdpa_mask, eager_mask])
def test_masks_are_noted_within_the_block_only_and_never_left_out(make: Callable[..., Tensor]) -> None:
    asked: dict[str, Any] = {"batch_size": 1, "q_length": 4, "kv_length": 4, "mask_function": causal_mask_function}
    maker = noted(make)
    with noting_masks() as notes:
        made = maker(**asked)
    assert made is not None
    assert [note.window for note in notes] == [None]
    assert notes[0].is_of(made)
    assert notes[0].is_of(made[:, :, 1:])
    assert not notes[0].is_of(made.clone())
    assert not notes[0].is_of(None)
    outside, wanted = maker(**asked), make(**asked)
    assert len(notes) == 1
    assert outside is wanted is None or torch.equal(outside, wanted)  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "windowed"), [("phimoe", (0, 1, 2)), ("qwen2_moe", (0,))])
def test_a_window_in_the_mask_alone_is_found_and_read_exactly(kind: str, windowed: tuple[int, ...]) -> None:
    model = window_in_the_mask(kind)
    assert model_layers(model).windows == dict.fromkeys(windowed, WINDOW)
    eager = window_in_the_mask(kind)
    eager.set_attn_implementation("eager")
    passing: list[AttentionLayer] = []
    reading = read(model, prompt(), passing.append, max_new_tokens=ANSWER)
    assert max(map(furthest, passing, own_attention(eager, prompt()))) < 1e-5
    truth = answer_truth(eager, prompt(), reading.answer_ids, reading.answer_layers)
    assert max(map(furthest, reading.answer_layers, truth)) < 1e-5


def test_without_the_windows_found_the_masks_of_a_prompt_are_refused() -> None:
    model = window_in_the_mask("phimoe")
    model_layers(model)
    for module in model.modules():
        if hasattr(module, MARK):
            setattr(module, MARK, None)
    with pytest.raises(ValueError, match=r"PhimoeForCausalLM gives .* a mask that is more than .* \(layers 0, 1, 2\)"):
        read(model, prompt(), lambda _: None, max_new_tokens=1)
    read(model, prompt()[:WINDOW], lambda _: None, max_new_tokens=1)  # so short a prompt is not concerned


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_bidirectional_attention_is_refused(implementation: str) -> None:
    model = odd_model("gemma3_text", use_bidirectional_attention=True, sliding_window=WINDOW, layer_types=None)
    model.set_attn_implementation(implementation)
    with pytest.raises(ValueError, match="Gemma3Attention is bidirectional"):
        model_layers(model)


def test_a_learned_bias_in_the_mask_is_refused() -> None:
    runs: list[Callable[[PreTrainedModel], object]] = [
        lambda model: read(model, prompt(), lambda _: None, max_new_tokens=1),
        lambda model: read_up_to(model, prompt(), 1, lambda _: None),
        lambda model: PrunedRun(model, prompt(), answer_tokens=1).prefill(),
    ]
    for run in runs:
        run(tiny_of("llama"))
        with pytest.raises(ValueError, match="DogeForCausalLM gives its attention function a mask that is more than"):
            run(odd_model("doge"))


@pytest.mark.parametrize("given", [False, True])
def test_a_mask_that_is_wrong_in_decoding_only_is_refused(given: bool) -> None:
    """A layer that hides the first token from every later token that is fed alone."""

    def hidden(_module: nn.Module, arguments: Any, named: dict[str, Any]) -> Any:
        keys = named["past_key_values"].get_seq_length(1) + 1
        if wrong and named["hidden_states"].shape[1] == 1 and keys > PROMPT:
            named["attention_mask"] = (torch.arange(keys) > 0)[None, None, None]
        return arguments, named

    model, wrong = tiny_of("llama", "sdpa"), False
    model.model.layers[1].self_attn.register_forward_pre_hook(hidden, with_kwargs=True)
    answer = [5, 6] if given else None
    read(model, prompt(), lambda _: None, max_new_tokens=2, answer_ids=answer)
    wrong = True
    with pytest.raises(ValueError, match=r"LlamaForCausalLM gives .* a mask that is more than .* \(layers 1\)"):
        read(model, prompt(), lambda _: None, max_new_tokens=2, answer_ids=answer)


def test_an_overlay_of_the_mask_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    overlay = or_masks(causal_mask_function, lambda _b, _h, q, k: (q < 2) & (k < 2))
    monkeypatch.setattr("transformers.masking_utils.causal_mask_function", overlay)
    with pytest.raises(ValueError, match="layer 0 of LlamaForCausalLM has a mask that is more than causality"):
        model_layers(tiny_of("llama"))


def checked(model: PreTrainedModel, mask: Tensor | None, queries: int, keys: int, window: int | None) -> MaskCheck:
    check = MaskCheck(model)
    query, key = torch.zeros(1, 4, queries, 8), torch.zeros(1, 2, keys, 8)
    check.add(2, query, key, AttentionRules(1.0, sliding_window=window, mask=mask))
    return check


RIGHT = visible(torch.arange(4, 10), torch.arange(10), 3)[None, None]
WRONG = {
    "one key too many": RIGHT.index_put((*torch.tensor([0, 0, 3, 0])[:, None],), torch.tensor(True)),
    "one key too few": RIGHT.index_put((*torch.tensor([0, 0, 5, 9])[:, None],), torch.tensor(False)),
    "too few rows": RIGHT[:, :, 1:],
    "too few keys": RIGHT[..., :9],
}
LOWEST = torch.finfo(torch.float32).min


@pytest.fixture(params=["sdpa", "eager"])
def watched(request: pytest.FixtureRequest) -> PreTrainedModel:
    model = tiny_of("llama", request.param)
    watch(model)
    return model


def added(mask: Tensor) -> Tensor:
    """The mask in the form that is added to logits."""
    return torch.zeros(mask.shape).masked_fill(~mask, LOWEST)


@pytest.mark.parametrize("form", [lambda mask: mask, added])
def test_a_right_mask_passes_whatever_its_form(watched: PreTrainedModel, form: Callable[[Tensor], Tensor]) -> None:
    checked(watched, form(RIGHT), 6, 10, window=3).finish()
    checked(watched, torch.nn.functional.pad(form(RIGHT), (0, 2)), 6, 10, window=3).finish()  # longer than the keys
    checked(watched, form(RIGHT).expand(-1, 4, -1, -1), 6, 10, window=3).finish()


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("form", [lambda mask: mask, added])
def test_a_wrong_mask_is_refused(watched: PreTrainedModel, form: Callable[[Tensor], Tensor], name: str) -> None:
    with pytest.raises(ValueError, match=r"LlamaForCausalLM gives .* \(layers 2\)"):
        checked(watched, form(WRONG[name]), 6, 10, window=3).finish()


def test_a_bias_is_refused(watched: PreTrainedModel) -> None:
    with pytest.raises(ValueError, match=r"\(layers 2\)"):
        checked(watched, added(RIGHT) + 0.1, 6, 10, window=3).finish()


@pytest.mark.parametrize(
    ("implementation", "queries", "keys", "window", "right"),
    [
        ("sdpa", 6, 6, None, True),  # the fused function is causal by itself
        ("sdpa", 6, 6, 6, True),
        ("sdpa", 6, 6, 5, False),
        ("sdpa", 6, 10, None, False),
        ("sdpa", 1, 10, None, True),
        ("sdpa", 1, 10, 9, False),
        ("eager", 6, 6, None, False),
        ("eager", 1, 10, None, True),
    ],
)
def test_no_mask_is_right_where_the_function_needs_none(
    implementation: str, queries: int, keys: int, window: int | None, *, right: bool
) -> None:
    model = tiny_of("llama", implementation)
    watch(model)
    check = checked(model, None, queries, keys, window)
    if right:
        check.finish()
    else:
        with pytest.raises(ValueError, match=r"\(layers 2\)"):
            check.finish()
