"""The controls: random scores that differ wherever they should, first and last tokens first, precomputed scores."""

from dataclasses import replace

import torch

from tests.slow import random_layer
from tokenrank.heuristics.controls import Control, Random, Recency, Sinks
from tokenrank.models.tiny import Tiny


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


def test_noise_before_the_prompt_is_read_differs_by_seed_and_prompt() -> None:
    ids, model = random_layer().input_ids, Tiny().model()
    other = ids.clone()
    other[7] += 1
    assert torch.equal(Random(seed=3).draft_scores(model, ids), Random(seed=3).draft_scores(model, ids))
    noises = [
        Random(seed=0).draft_scores(model, ids),
        Random(seed=1).draft_scores(model, ids),
        Random(seed=0).draft_scores(model, other),
        Random(seed=0).score(random_layer()),
    ]
    together = torch.corrcoef(torch.stack(noises)) - torch.eye(4)
    assert together.abs().max() < 0.6


def test_the_control_keeps_the_first_token_and_is_noise_otherwise() -> None:
    layer, model = random_layer(), Tiny().model()
    for seed in range(20):
        for control, noise in (
            (Control(seed).score(layer), Random(seed).score(layer)),
            (Control(seed).draft_scores(model, layer.input_ids), Random(seed).draft_scores(model, layer.input_ids)),
        ):
            assert control.argmax() == 0
            assert torch.equal(control[1:], noise[1:])
    assert (Control().score_heads(layer).argmax(dim=-1) == 0).all()


def test_only_the_control_always_keeps_a_token() -> None:
    assert (list(Control().always_kept(40)), list(Control().always_kept(0))) == ([0], [])
    assert list(Random().always_kept(40)) == []
    first = [int(Random(seed).score(random_layer()).argsort(descending=True).argsort()[0]) for seed in range(20)]
    assert max(first) > 8  # of 40 tokens


def test_recency_and_sinks_rank_before_the_prompt_is_read_as_they_do_at_a_layer() -> None:
    layer, model = random_layer(tokens=5), Tiny().model()
    for each in (Recency(), Sinks()):
        assert torch.equal(each.draft_scores(model, layer.input_ids), each.score(layer))


def test_recency_ranks_the_last_token_first() -> None:
    assert Recency().score(random_layer(tokens=5)).argsort(descending=True).tolist() == [4, 3, 2, 1, 0]


def test_sinks_rank_the_first_token_first() -> None:
    assert Sinks().score(random_layer(tokens=5)).argsort(descending=True).tolist() == [0, 1, 2, 3, 4]
