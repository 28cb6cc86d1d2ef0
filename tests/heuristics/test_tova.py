"""TOVA against a slow version, and a case by hand."""

from typing import Any

import numpy as np
import pytest
import torch

from tests import slow
from tests.slow import random_layer
from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.tova import TOVA


def slow_score(layer: AttentionLayer, row: int = -1) -> slow.Array:
    heads = [attention[row] for attention in slow.attention(layer)]
    return np.array([sum(of_token) / len(heads) for of_token in zip(*heads, strict=True)])


@pytest.mark.parametrize("rules", [{}, {"softcap": 2.0, "sliding_window": 9, "sinks": torch.ones(4)}])
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_score_is_that_of_the_slow_version(kv_heads: int, rules: dict[str, Any]) -> None:
    layer = random_layer(kv_heads=kv_heads, **rules)
    assert np.allclose(TOVA().score(layer).numpy(), slow_score(layer), rtol=1e-4, atol=1e-6)


def test_another_query_would_be_noticed() -> None:
    layer = random_layer()
    assert np.abs(TOVA().score(layer).numpy() - slow_score(layer, row=-2)).max() > 1e-3


def test_the_scores_sum_to_one() -> None:
    assert torch.allclose(TOVA().score(random_layer()).sum(), torch.ones(()))


def test_the_attended_token_ranks_first() -> None:
    keys = torch.zeros(1, 12, 2)
    keys[0, 3, 0], keys[0, 5, 1] = 100.0, 100.0
    queries = torch.zeros(2, 12, 2)
    queries[:, -1, 0] = 1.0
    queries[:, :-1, 1] = 1.0  # the earlier queries look elsewhere
    scores = TOVA().score(random_layer(queries=queries, keys=keys))
    assert torch.allclose(scores, torch.eye(12)[3])
