"""The controls: random scores that differ wherever they should, first and last tokens first, precomputed scores."""

from dataclasses import replace

import torch

from tests.slow import random_layer
from tokenrank.heuristics.controls import Random, Recency, Sinks


def test_noise_is_the_same_for_the_same_seed_layer_and_prompt() -> None:
    layer = random_layer()
    moved = replace(layer, queries=-layer.queries, keys=-layer.keys)  # the same prompt in another model
    assert torch.equal(Random(seed=3).score(layer), Random(seed=3).score(moved))


def test_noise_differs_by_seed_layer_and_prompt() -> None:
    layer = random_layer()
    ids = layer.input_ids.clone()
    ids[7] += 1
    noises = [
        Random(seed=0).score(layer),
        Random(seed=1).score(layer),
        Random(seed=0).score(replace(layer, index=1)),
        Random(seed=0).score(replace(layer, input_ids=ids)),
    ]
    together = torch.corrcoef(torch.stack(noises)) - torch.eye(4)
    assert together.abs().max() < 0.6  # of 40 tokens; the same noise would give 1


def test_noise_is_uniform() -> None:
    scores = Random().score(random_layer(tokens=4000, dim=1))
    assert scores.min() >= 0
    assert scores.max() < 1
    tenths = torch.histc(scores, bins=10, min=0, max=1) / 4000
    assert (tenths - 0.1).abs().max() < 0.03


def test_noise_leaves_the_random_state_outside_alone() -> None:
    before = torch.get_rng_state()
    Random().score(random_layer())
    assert torch.equal(torch.get_rng_state(), before)


def test_recency_ranks_the_last_token_first() -> None:
    assert Recency().score(random_layer(tokens=5)).argsort(descending=True).tolist() == [4, 3, 2, 1, 0]


def test_sinks_rank_the_first_token_first() -> None:
    assert Sinks().score(random_layer(tokens=5)).argsort(descending=True).tolist() == [0, 1, 2, 3, 4]
