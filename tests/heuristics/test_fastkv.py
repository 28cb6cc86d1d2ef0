"""FastKV against a slow version, and a case by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests import slow
from tests.slow import random_layer
from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.fastkv import FastKV


def slow_score(layer: AttentionLayer, window: int, kernel: int) -> slow.Array:
    before = layer.tokens - window
    scores = np.zeros(before)
    for rows in slow.attention(layer):  # (queries, tokens), one a head
        votes = np.array([sum(rows[row, token] for row in range(before, layer.tokens)) for token in range(before)])
        scores += slow.average(votes, kernel)
    return np.append(scores, [scores.max()] * window)


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@pytest.mark.parametrize(("window", "kernel"), [(8, 7), (8, 13), (3, 1)])
def test_score_is_that_of_the_slow_version(window: int, kernel: int, kv_heads: int) -> None:
    layer = random_layer(kv_heads=kv_heads)
    score = FastKV(window=window, kernel=kernel).score(layer).numpy()
    assert np.allclose(score, slow_score(layer, window, kernel), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("change", [{"window": 7}, {"kernel": 5}])
def test_another_setting_would_be_noticed(change: dict[str, Any]) -> None:
    layer = random_layer()
    assert np.abs(FastKV(**change).score(layer).numpy() - slow_score(layer, window=8, kernel=7)).max() > 1e-3


def test_the_attended_token_ranks_first() -> None:
    keys = torch.zeros(1, 12, 1)
    keys[0, 3] = 100.0
    scores = FastKV(window=4, kernel=1).score(random_layer(queries=torch.ones(2, 12, 1), keys=keys))
    assert scores.argmax() == 3
    assert torch.allclose(scores, 8 * (torch.eye(12)[3] + torch.arange(12).ge(8)))  # 2 heads x 4 queries


def test_smoothing_stops_at_the_window() -> None:
    keys = torch.zeros(1, 12, 1)
    keys[0, 8] = 100.0  # in the window, so it lends nothing to its neighbours before it
    scores = FastKV(window=4, kernel=3).score(random_layer(queries=torch.ones(2, 12, 1), keys=keys))
    assert torch.allclose(scores, torch.zeros(12))


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_a_key_heads_score_is_that_of_its_own_query_heads_alone(kv_heads: int) -> None:
    layer, group = random_layer(kv_heads=kv_heads), 4 // kv_heads
    found = FastKV().score_heads(layer)
    for head in range(kv_heads):
        queries = layer.queries[head * group : (head + 1) * group]
        alone = replace(layer, queries=queries, keys=layer.keys[head : head + 1])
        assert np.allclose(found[head].numpy(), slow_score(alone, window=8, kernel=7), rtol=1e-4, atol=1e-5)
