"""Jaccard overlap between layers against sets."""

import pytest
import torch

from tokenrank.metrics.jaccard import jaccard_between_rows, jaccard_chance, neighbour_jaccard_at_k
from tokenrank.metrics.ranked_tokens import Ranking

LAYERS = Ranking(torch.rand(6, 30, generator=torch.Generator().manual_seed(0)))


def slow(k: int) -> list[list[float]]:
    kept = [set(row[:k]) for row in LAYERS.order.tolist()]
    return [[len(a & b) / len(a | b) for b in kept] for a in kept]


@pytest.mark.parametrize("k", [1, 7, 30])
def test_it_is_the_overlap_of_sets(k: int) -> None:
    found = jaccard_between_rows(LAYERS, k)
    assert found.flatten().tolist() == pytest.approx([value for row in slow(k) for value in row])
    assert torch.equal(found, found.T)
    assert neighbour_jaccard_at_k(LAYERS, k).tolist() == pytest.approx([slow(k)[at + 1][at] for at in range(5)])


def test_a_single_layer_has_no_neighbour() -> None:
    assert neighbour_jaccard_at_k(Ranking(LAYERS.scores[:1]), 3).shape == (0,)


def test_chance_is_exact_for_every_two_sets_of_few_tokens() -> None:
    from itertools import combinations

    sets = [set(each) for each in combinations(range(6), 2)]
    expected = sum(len(a & b) / len(a | b) for a in sets for b in sets) / len(sets) ** 2
    assert jaccard_chance(Ranking(torch.rand(1, 6)), 2) == pytest.approx(expected)


@pytest.mark.parametrize("k", [0, 31])
def test_k_out_of_range_is_an_error(k: int) -> None:
    for measure in (jaccard_between_rows, neighbour_jaccard_at_k):
        with pytest.raises(ValueError, match=f"k is {k}, must be from 1 to the 30 tokens"):
            measure(LAYERS, k)
