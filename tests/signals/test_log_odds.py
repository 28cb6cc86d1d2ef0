"""Log-odds against p / (1 - p), and where p is all but 1."""

import pytest
import torch

from tokenrank.signals.log_odds import log_odds


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_log_odds_are_those_of_the_probability(dtype: torch.dtype) -> None:
    logits = torch.randn(6, 50, generator=torch.Generator().manual_seed(0)).to(dtype)
    ids = torch.tensor([0, 49, 3, 3, 20, 7])
    p = logits.double().softmax(dim=1)[range(6), ids]
    found = log_odds(logits, ids)
    assert found.dtype == torch.float32
    assert torch.allclose(found.double(), (p / (1 - p)).log(), atol=1e-5)


def test_a_token_that_is_all_but_certain_has_finite_log_odds() -> None:
    logits = torch.tensor([[60.0, 10.0, 0.0], [-60.0, 0.0, -200.0]])
    assert torch.allclose(log_odds(logits, torch.tensor([0, 0])), torch.tensor([50.0, -60.0]))
    assert log_odds(logits, torch.tensor([1, 1])).isfinite().all()


def test_logits_are_left_as_they_were() -> None:
    logits = torch.randn(2, 5)
    before = logits.clone()
    log_odds(logits, torch.tensor([1, 2]))
    assert torch.equal(logits, before)
