"""Tiny random models of many architectures: the same weights each time, whatever the implementation of attention."""

import pytest
import torch

from tokenrank.models.architectures import ARCHITECTURES, SHAPE, tiny_of


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma3"])
def test_the_weights_do_not_depend_on_the_attention(architecture: str) -> None:
    before = torch.get_rng_state()
    one, other = (tiny_of(architecture, implementation) for implementation in ("eager", "sdpa"))
    assert torch.equal(torch.get_rng_state(), before)
    assert (one.config._attn_implementation, other.config._attn_implementation) == ("eager", "sdpa")
    assert all(torch.equal(*pair) for pair in zip(one.parameters(), other.parameters(), strict=True))
    assert not one.training


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_is_tiny_and_answers(architecture: str) -> None:
    model = tiny_of(architecture)
    with torch.no_grad():
        logits = model(torch.arange(1, 6)[None]).logits
    assert logits.shape == (1, 5, SHAPE["vocab_size"])
    assert logits.isfinite().all()
    assert sum(each.numel() for each in model.parameters()) < 10**6
