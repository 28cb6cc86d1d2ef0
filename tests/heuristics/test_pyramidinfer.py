"""PyramidInfer against a slow version, its weights by hand, what it always keeps, and its errors."""

import numpy as np
import pytest

from tests import slow
from tests.slow import random_layer
from tokenrank.heuristics.pyramidinfer import PyramidInfer


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_score_is_that_of_the_slow_version(kv_heads: int) -> None:
    layer = random_layer(kv_heads=kv_heads)  # 40 tokens: the last 1 + 8 queries
    weights = [1 + 0.2 * row / 8 for row in range(9)]
    rows = slow.attention(layer).mean(axis=0)[-9:]
    wanted = np.mean([weight * row for weight, row in zip(weights, rows, strict=True)], axis=0)
    others = range(4, 31)  # but for the first four and the last nine
    score = PyramidInfer().score(layer)
    assert score[others].tolist() == pytest.approx(wanted[others].tolist(), rel=1e-5, abs=1e-7)
    assert score[[*range(4), *range(31, 40)]].tolist() == pytest.approx([wanted[others].max()] * 13)
    for change in (PyramidInfer(last_weight=1), PyramidInfer(share=0.17)):  # 0.17: one query fewer
        assert change.score(layer)[others].tolist() != pytest.approx(wanted[others].tolist(), rel=1e-3)


@pytest.mark.parametrize(
    ("tokens", "share", "recent"), [(3, 0.2, 1), (4, 0.2, 1), (5, 0.2, 2), (9, 0.2, 2), (10, 0.2, 3), (10, 1.0, 10)]
)
def test_one_query_more_than_the_share_is_read(tokens: int, share: float, recent: int) -> None:
    kept = set(PyramidInfer(share=share).always_kept(tokens))
    assert kept == set(range(min(4, tokens))) | set(range(tokens - recent, tokens))


def test_a_short_prompt_still_has_one_query() -> None:
    layer = random_layer(tokens=3)
    wanted = slow.attention(layer)[:, -1].mean(axis=0)
    assert PyramidInfer(first=0).score(layer)[:2].tolist() == pytest.approx(wanted[:2].tolist(), rel=1e-5)
    assert PyramidInfer().score(layer).tolist() == pytest.approx([max(wanted)] * 3, rel=1e-5)  # all are kept


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1])
def test_a_share_out_of_range_is_an_error(share: float) -> None:
    with pytest.raises(ValueError, match=f"share is {share}, must be above 0 and at most 1"):
        PyramidInfer(share=share)


def test_a_weight_that_is_not_positive_or_a_negative_number_of_tokens_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"last_weight is 0\.0, must be above 0"):
        PyramidInfer(last_weight=0.0)
    with pytest.raises(ValueError, match="first is -1, must be at least 0 tokens"):
        PyramidInfer(first=-1)
