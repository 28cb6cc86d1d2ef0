"""The gradient oracle: the row of signals/attention_gradient.py, of the cache alone; memory that is not free."""

import pytest
import torch

from tests.oracle.cases import random_case
from tokenrank.oracle.gradient import GradientOracle
from tokenrank.oracle.oracle import OracleNeeds
from tokenrank.signals import attention_gradient
from tokenrank.signals.attention_gradient import attention_times_gradient


@pytest.mark.parametrize("answer", [[7, 3, 60], [7]])
def test_importance_is_attention_times_gradient(answer: list[int]) -> None:
    case = random_case("llama", answer=answer)
    assert case.passes is not None
    found = GradientOracle().truth(case).importance
    assert torch.equal(found, attention_times_gradient(case.passes)[None])
    assert found.min() >= 0
    assert GradientOracle().needs == OracleNeeds(layers=False, passes=True)


def test_memory_that_is_not_free_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention_gradient, "free_bytes", lambda device: 1000)
    with pytest.raises(ValueError, match=r"the gradient needs about 0\.00 GiB on cpu, and 0\.00 GiB are free"):
        GradientOracle().truth(random_case("llama"))
