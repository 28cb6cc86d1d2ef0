"""SnapKV, both pools and both ways over heads, against a slow version, and a case by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests import slow
from tests.slow import random_layer
from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.snapkv import SnapKV


def slow_score(layer: AttentionLayer, window: int, kernel: int, pool: str, heads: str) -> slow.Array:
    before = layer.tokens - window
    pooled = []
    for rows in slow.attention(layer):  # (queries, tokens), one a head
        votes = np.array([sum(rows[row, token] for row in range(before, layer.tokens)) for token in range(before)])
        pooled.append({"max": slow.maximum, "average": slow.average}[pool](votes, kernel))
    scores = np.array([max(each) if heads == "max" else sum(each) / len(each) for each in zip(*pooled, strict=True)])
    return np.append(scores, [scores.max()] * window)


@pytest.mark.parametrize("heads", ["mean", "max"])
@pytest.mark.parametrize("pool", ["max", "average"])
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@pytest.mark.parametrize(("window", "kernel"), [(32, 7), (8, 13), (3, 1)])
def test_score_is_that_of_the_slow_version(window: int, kernel: int, kv_heads: int, pool: str, heads: str) -> None:
    layer = random_layer(kv_heads=kv_heads)
    score = SnapKV(window=window, kernel=kernel, pool=pool, heads=heads).score(layer).numpy()
    assert np.allclose(score, slow_score(layer, window, kernel, pool, heads), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("change", [{"window": 31}, {"kernel": 5}, {"pool": "average"}, {"heads": "max"}])
def test_another_setting_would_be_noticed(change: dict[str, Any]) -> None:
    layer = random_layer(tokens=60)
    expected = slow_score(layer, window=32, kernel=7, pool="max", heads="mean")
    assert np.abs(SnapKV(**change).score(layer).numpy() - expected).max() > 1e-3


@pytest.mark.parametrize("heads", ["mean", "max"])
def test_the_attended_token_ranks_first(heads: str) -> None:
    keys = torch.zeros(1, 12, 1)
    keys[0, 3] = 100.0
    layer = random_layer(queries=torch.ones(2, 12, 1), keys=keys)
    scores = SnapKV(window=4, kernel=1, heads=heads).score(layer)
    assert scores.argmax() == 3
    assert torch.allclose(scores, 4 * (torch.eye(12)[3] + torch.arange(12).ge(8)))  # 4 queries
    pooled = SnapKV(window=4, kernel=3, heads=heads).score(layer)
    assert pooled.tolist() == pytest.approx([0, 0, 4, 4, 4, 0, 0, 0, 4, 4, 4, 4])


@pytest.mark.parametrize(("field", "bad"), [("pool", "median"), ("heads", "sum")])
def test_an_unknown_choice_is_an_error(field: str, bad: str) -> None:
    choice: dict[str, Any] = {field: bad}
    with pytest.raises(ValueError, match=f"{field} is '{bad}', must be one of"):
        SnapKV(**choice)


@pytest.mark.parametrize("heads", ["mean", "max"])
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_a_key_heads_score_is_that_of_its_own_query_heads_alone(kv_heads: int, heads: str) -> None:
    layer, group = random_layer(kv_heads=kv_heads, tokens=60), 4 // kv_heads
    found = SnapKV(heads=heads).score_heads(layer)
    for head in range(kv_heads):
        queries = layer.queries[head * group : (head + 1) * group]
        alone = replace(layer, queries=queries, keys=layer.keys[head : head + 1])
        expected = slow_score(alone, window=32, kernel=7, pool="max", heads=heads)
        assert np.allclose(found[head].numpy(), expected, rtol=1e-4, atol=1e-5)
