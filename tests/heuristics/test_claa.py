"""CLAA's score and its maximum over layers against slow versions, and cases by hand."""

from typing import Any

import numpy as np
import pytest
import torch

from tests import slow
from tests.slow import random_layer
from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.claa import CLAA
from tokenrank.heuristics.fastkv import FastKV


def slow_score(layer: AttentionLayer, window: int, kernel: int, heads: str) -> slow.Array:
    before, attention = layer.tokens - window, slow.attention(layer)
    share = len(attention) if heads == "sum" else len(attention) // layer.kv_heads  # heads that vote together
    best = np.full(before, -np.inf)
    for first in range(0, len(attention), share):
        together = np.zeros(before)
        for head in range(first, first + share):
            votes = [sum(attention[head, row, token] for row in range(before, layer.tokens)) for token in range(before)]
            together += slow.average(np.array(votes), kernel)
        mean = sum(together) / before
        deviation = (sum((each - mean) ** 2 for each in together) / (before - 1)) ** 0.5
        best = np.maximum(best, (together - mean) / (deviation + 1e-8))
    return np.append(best, [best.max()] * window)


@pytest.mark.parametrize("heads", ["kv", "sum"])
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@pytest.mark.parametrize(("window", "kernel"), [(8, 7), (8, 13), (3, 1)])
def test_score_is_that_of_the_slow_version(window: int, kernel: int, kv_heads: int, heads: str) -> None:
    layer = random_layer(kv_heads=kv_heads)
    score = CLAA(window=window, kernel=kernel, heads=heads).score(layer).numpy()
    assert np.allclose(score, slow_score(layer, window, kernel, heads), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("change", [{"window": 7}, {"kernel": 5}, {"heads": "sum"}])
def test_another_setting_would_be_noticed(change: dict[str, Any]) -> None:
    layer = random_layer()
    score = CLAA(**change).score(layer).numpy()
    assert np.abs(score - slow_score(layer, window=8, kernel=7, heads="kv")).max() > 1e-3


def test_with_one_key_head_both_ways_are_one() -> None:
    layer = random_layer(kv_heads=1)
    assert torch.equal(CLAA(heads="kv").score(layer), CLAA(heads="sum").score(layer))


@pytest.mark.parametrize("n", [1, 2, 4, 7, 9])
def test_combine_is_the_maximum_over_the_last_n_layers(n: int) -> None:
    rows = torch.randn(7, 40, generator=torch.Generator().manual_seed(0))
    combined = CLAA(n=n).combine(rows)
    for layer in range(7):
        for token in range(40):
            assert combined[layer, token] == max(rows[each, token] for each in range(max(0, layer - n + 1), layer + 1))


def test_combine_worked_by_hand() -> None:
    rows = torch.tensor([[9.0], [1.0], [2.0], [0.0]])
    assert CLAA(n=1).combine(rows).flatten().tolist() == [9, 1, 2, 0]
    assert CLAA(n=2).combine(rows).flatten().tolist() == [9, 9, 2, 2]
    assert CLAA(n=3).combine(rows).flatten().tolist() == [9, 9, 9, 2]


@pytest.mark.parametrize("heads", ["kv", "sum"])
def test_the_attended_token_ranks_first(heads: str) -> None:
    keys = torch.zeros(1, 12, 1)
    keys[0, 3] = 100.0
    layer = random_layer(queries=torch.ones(2, 12, 1), keys=keys)
    scores = CLAA(window=4, kernel=1, heads=heads).score(layer)
    assert scores.argmax() == 3
    # one token of eight holds all votes: mean 1/8, unbiased variance 1/8 of what it holds
    assert torch.allclose(scores[3], torch.tensor((1 - 1 / 8) / (1 / 8) ** 0.5))


def test_tokens_that_all_have_the_same_votes_score_nothing() -> None:
    scores = CLAA(window=4, kernel=1).score(random_layer(tokens=12, queries=torch.zeros(4, 12, 8)))
    assert scores.isfinite().all()
    assert scores.min() == scores.max()


def test_one_token_before_the_window_has_a_score() -> None:
    assert CLAA(window=8).score(random_layer(tokens=9)).isfinite().all()


@pytest.mark.parametrize(("field", "bad"), [("n", 0), ("n", -1), ("heads", "max")])
def test_a_bad_setting_is_an_error(field: str, bad: Any) -> None:
    with pytest.raises(ValueError, match=f"{field} is {bad!r}, must be"):
        CLAA(**{field: bad})


def test_key_heads_are_ordered_as_fastkv_orders_them() -> None:
    layer = random_layer()
    assert torch.equal(CLAA().score_heads(layer), FastKV().score_heads(layer))
    assert torch.equal(CLAA(heads="sum").score_heads(layer), FastKV().score_heads(layer))
