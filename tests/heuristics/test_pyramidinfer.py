"""PyramidInfer against a slow version, its weights by hand, and its errors."""

import numpy as np
import pytest

from tests import slow
from tests.slow import random_layer
from tokenrank.heuristics.pyramidinfer import PyramidInfer


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_score_is_that_of_the_slow_version(kv_heads: int) -> None:
    layer = random_layer(kv_heads=kv_heads)  # 40 tokens: the last 8 queries
    weights = [1 + 0.2 * row / 7 for row in range(8)]
    rows = slow.attention(layer).mean(axis=0)[-8:]
    wanted = np.mean([weight * row for weight, row in zip(weights, rows, strict=True)], axis=0)
    assert PyramidInfer().score(layer).tolist() == pytest.approx(wanted.tolist(), rel=1e-5, abs=1e-7)
    assert PyramidInfer(last_weight=1).score(layer).tolist() != pytest.approx(wanted.tolist(), rel=1e-3)


def test_a_short_prompt_still_has_one_query() -> None:
    layer = random_layer(tokens=3)
    wanted = slow.attention(layer)[:, -1].mean(axis=0)
    assert PyramidInfer().score(layer).tolist() == pytest.approx(wanted.tolist(), rel=1e-5)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1])
def test_a_share_out_of_range_is_an_error(share: float) -> None:
    with pytest.raises(ValueError, match=f"share is {share}, must be above 0 and at most 1"):
        PyramidInfer(share=share)


def test_a_weight_that_is_not_positive_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"last_weight is 0\.0, must be above 0"):
        PyramidInfer(last_weight=0.0)
