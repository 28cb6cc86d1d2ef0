"""The contract of what a method always keeps: it has the maximum of every row, for every file of configs/heuristic."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.heuristics.test_heuristic import LAYERS, NAMES, TOKENS, heuristic, scoring
from tests.slow import random_layer
from tokenrank.heuristics.fastkv import FastKV

ALWAYS: dict[str, set[int]] = {name: set(range(TOKENS - 8, TOKENS)) for name in ("claa", "fastkv")}
ALWAYS |= {name: set(range(TOKENS - 32, TOKENS)) for name in ("asl", "snapkv")}
ALWAYS |= {
    "h2o": {48, 49},
    "pyramidinfer": {0, 1, 2, 3, *range(39, 50)},
}  # 5 % of 50 tokens; 4 first and 1 + 20 % of 50


@pytest.mark.parametrize("name", NAMES)
def test_what_a_method_always_keeps_is_known(name: str) -> None:
    assert set(heuristic(name).always_kept(TOKENS)) == ALWAYS.get(name, set())


def keeps_always(scores: Tensor, places: Sequence[int]) -> bool:
    """Whether each of these tokens has the maximum of each row."""
    return bool((scores[..., list(places)] == scores.amax(dim=-1, keepdim=True)).all())


@pytest.mark.parametrize("rules", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("name", scoring())
def test_what_a_method_always_keeps_has_the_maximum_of_every_row(name: str, rules: dict[str, Any]) -> None:
    method, layer = heuristic(name), random_layer(tokens=TOKENS, **rules)
    places = method.always_kept(TOKENS)
    assert keeps_always(method.score(layer), places)
    assert keeps_always(method.score_heads(layer), places)
    rows = torch.stack([method.score(random_layer(tokens=TOKENS, seed=seed, **rules)) for seed in range(12)])
    assert keeps_always(method.combine(rows), places)


def test_a_token_below_the_maximum_would_be_noticed() -> None:
    scores = FastKV().score(random_layer(tokens=TOKENS))
    assert keeps_always(scores, range(TOKENS - 8, TOKENS))
    assert not keeps_always(scores, range(TOKENS - 9, TOKENS))


@pytest.mark.parametrize("name", sorted(ALWAYS))
def test_what_a_method_always_keeps_is_not_all(name: str) -> None:
    """Of the others some are below the maximum, so that they are ranked."""
    others = sorted(set(range(TOKENS)) - ALWAYS[name])
    scores = heuristic(name).score(random_layer(tokens=TOKENS))
    assert (scores[others] < scores.max()).sum() == len(others) - 1  # one of them gives the maximum
