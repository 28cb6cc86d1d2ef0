"""GemFilter against a slow version, and cases by hand."""

import numpy as np
import pytest
import torch

from tests import slow
from tests.slow import random_layer
from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.gemfilter import GemFilter


def slow_score(layer: AttentionLayer, kernel: int) -> slow.Array:
    products = np.zeros(layer.tokens)
    heads = layer.queries.shape[0]
    for head in range(heads):
        for token in range(layer.tokens):
            key = layer.keys[head // (heads // layer.kv_heads), token]
            products[token] += sum(float(q) * float(k) for q, k in zip(layer.queries[head, -1], key, strict=True))
    return slow.average(products, kernel)


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@pytest.mark.parametrize("kernel", [1, 5, 13])
def test_score_is_that_of_the_slow_version(kernel: int, kv_heads: int) -> None:
    layer = random_layer(kv_heads=kv_heads)
    assert np.allclose(GemFilter(kernel=kernel).score(layer).numpy(), slow_score(layer, kernel), rtol=1e-4, atol=1e-4)


def test_another_kernel_would_be_noticed() -> None:
    layer = random_layer()
    assert np.abs(GemFilter(kernel=7).score(layer).numpy() - slow_score(layer, kernel=5)).max() > 1e-3


def test_the_token_pointed_at_ranks_first() -> None:
    keys = torch.zeros(1, 12, 2)
    keys[0, 3, 0], keys[0, 5, 0], keys[0, 7, 1] = 2.0, -3.0, 9.0
    queries = torch.zeros(2, 12, 2)
    queries[:, -1, 0] = 1.0  # the earlier queries do not count
    queries[:, :-1, 1] = 1.0
    scores = GemFilter(kernel=1).score(random_layer(queries=queries, keys=keys))
    assert scores.argmax() == 3
    assert scores.argmin() == 5
    assert scores.tolist() == [0, 0, 0, 4, 0, -6, 0, 0, 0, 0, 0, 0]  # 2 heads


def test_no_rule_of_the_model_applies() -> None:
    ruled = random_layer(softcap=2.0, sliding_window=3, sinks=torch.ones(4), scale=7.0)
    assert torch.equal(GemFilter().score(ruled), GemFilter().score(random_layer()))
