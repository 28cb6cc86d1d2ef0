"""Feeding: logits at given positions, with a cache and without; which tokens end an answer."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tokenrank.capture.attention import watch
from tokenrank.capture.cache import reserved_cache
from tokenrank.capture.feeding import end_tokens, input_device, last_logits, takes_positions
from tokenrank.capture.partial import read_up_to
from tokenrank.capture.pruning import PrunedRun
from tokenrank.capture.reading import read
from tokenrank.models.architectures import tiny_of

IDS = torch.arange(12) * 5 % 64


@pytest.mark.parametrize("shape", [(1, 12), (2, 6)])
def test_several_prompts_at_once_are_refused_by_every_run(shape: tuple[int, int]) -> None:
    runs: list[Callable[[Tensor], object]] = [
        lambda ids: read(tiny_of("llama"), ids, lambda _: None, max_new_tokens=1),
        lambda ids: read_up_to(tiny_of("llama"), ids, 1, lambda _: None),
        lambda ids: PrunedRun(tiny_of("llama"), ids, answer_tokens=1).prefill(),
    ]
    for run in runs:
        run(IDS)
        with pytest.raises(ValueError, match=r"input_ids has the shape \(\d+, \d+\), must be \(tokens,\): one prompt"):
            run(IDS.view(shape))
        with pytest.raises(ValueError, match="the prompt is empty, at least one token is needed"):
            run(IDS[:0])


@pytest.mark.parametrize(("eos", "ends"), [(None, set()), (3, {3}), ([3, 4], {3, 4})])
def test_end_tokens_are_those_of_the_generation_config(eos: int | list[int] | None, ends: set[int]) -> None:
    model = tiny_of("llama")
    model.config.eos_token_id = 9
    model.generation_config.eos_token_id = eos
    assert end_tokens(model) == ends
    model.generation_config = None  # type: ignore[assignment]
    assert end_tokens(model) == {9}


def test_the_logits_are_those_after_the_last_token() -> None:
    model: Any = tiny_of("llama")
    watch(model)
    with torch.inference_mode():
        whole = model(input_ids=IDS[None]).logits[0]
        found = last_logits(model, IDS, torch.arange(12), None)
    assert torch.allclose(found, whole[-1], atol=1e-6)
    assert not torch.allclose(found, whole[-2], atol=1e-3)


def test_with_a_cache_tokens_can_be_fed_in_parts() -> None:
    model = tiny_of("llama")
    watch(model)
    cache = reserved_cache(model.config, 12)
    with torch.inference_mode():
        whole = last_logits(model, IDS, torch.arange(12), None)
        last_logits(model, IDS[:8], torch.arange(8), cache)
        found = last_logits(model, IDS[8:], torch.arange(8, 12), cache)
    assert torch.allclose(found, whole, atol=1e-5)
    assert cache.get_seq_length() == 12


def test_positions_count() -> None:
    model = tiny_of("llama")
    watch(model)
    with torch.inference_mode():
        near, far = (last_logits(model, IDS, torch.arange(12) * step, None) for step in (1, 3))
    assert not torch.allclose(near, far, atol=1e-3)


def test_a_model_whose_forward_accepts_no_positions_is_known_and_fed_without() -> None:
    model: Any = copy.deepcopy(tiny_of("llama"))
    assert takes_positions(model)
    plain = model.forward
    model.forward = lambda input_ids, past_key_values=None, **named: plain(
        input_ids=input_ids, past_key_values=past_key_values, **named
    )
    assert not takes_positions(model)
    with torch.inference_mode():
        found = last_logits(model, IDS, torch.arange(12) * 3, None)
        assert torch.allclose(found, plain(input_ids=IDS[None]).logits[0, -1], atol=1e-5)


def test_the_prompt_goes_to_the_device_of_the_embeddings() -> None:
    assert input_device(tiny_of("llama")) == torch.device("cpu")
    with torch.device("meta"):
        model = tiny_of("gpt2")
    assert input_device(model) == torch.device("meta")
