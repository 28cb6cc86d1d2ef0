"""Key norm against a slow version, and a case by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.slow import random_layer
from tokenrank.heuristics.keynorm import KeyNorm


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_score_is_that_of_the_slow_version(kv_heads: int) -> None:
    layer = random_layer(kv_heads=kv_heads)
    score = KeyNorm().score(layer)
    for token in range(layer.tokens):
        norms = [sum(float(x) ** 2 for x in layer.keys[head, token]) ** 0.5 for head in range(kv_heads)]
        assert score[token].item() == pytest.approx(-np.mean(norms), rel=1e-5)


def test_the_token_with_the_shortest_key_ranks_first() -> None:
    keys = torch.tensor([[[3.0, 4.0], [0.0, 1.0], [-6.0, 8.0]], [[0.0, 3.0], [1.0, 0.0], [0.0, 0.0]]])
    score = KeyNorm().score(random_layer(tokens=3, queries=torch.ones(4, 3, 2), keys=keys))
    assert score.tolist() == [-4, -1, -5]  # -(5 + 3) / 2, -(1 + 1) / 2, -(10 + 0) / 2


def test_it_looks_at_no_query() -> None:
    layer = random_layer()
    assert torch.equal(KeyNorm().score(replace(layer, queries=-layer.queries)), KeyNorm().score(layer))
    assert not torch.allclose(KeyNorm().score(replace(layer, keys=2 * layer.keys)), KeyNorm().score(layer))


def test_each_key_head_has_its_own_norms() -> None:
    layer = random_layer()
    wanted = [[-(sum(float(x) ** 2 for x in key) ** 0.5) for key in head] for head in layer.keys]
    assert KeyNorm().score_heads(layer).tolist() == [pytest.approx(head, rel=1e-5) for head in wanted]
