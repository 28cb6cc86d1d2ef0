"""Rank-biased overlap against its sum written out, and its limits."""

import pytest
import torch

from tokenrank.metrics.ranked_tokens import Ranking
from tokenrank.metrics.rbo import rbo, rbo_chance

DRAW = torch.Generator().manual_seed(0)
SCORES, ORACLE = torch.rand(4, 30, generator=DRAW), torch.rand(4, 30, generator=DRAW)


def slow(ours: list[int], theirs: list[int], p: float) -> float:
    """Equation 32 of the paper for two full rankings: the tail beyond the last depth agrees as the last depth does."""
    overlap = [len(set(ours[:depth]) & set(theirs[:depth])) / depth for depth in range(1, len(ours) + 1)]
    return (1 - p) * sum(p**place * agreement for place, agreement in enumerate(overlap)) + p ** len(ours) * overlap[-1]


@pytest.mark.parametrize("p", [0.3, 0.9, 0.999])
def test_it_is_the_sum_over_depths(p: float) -> None:
    ours, theirs = Ranking(SCORES), Ranking(ORACLE)
    wanted = [slow(a, b, p) for a, b in zip(ours.order.tolist(), theirs.order.tolist(), strict=True)]
    assert rbo(ours, theirs, p).tolist() == pytest.approx(wanted)
    wanted = [slow(row, theirs.order[0].tolist(), p) for row in ours.order.tolist()]
    assert rbo(ours, Ranking(ORACLE[:1]), p).tolist() == pytest.approx(wanted)


def test_the_same_order_is_one_and_agreement_at_the_top_counts_more() -> None:
    order = torch.arange(10.0, 0, -1)
    top, bottom = order.clone(), order.clone()
    top[[0, 1]], bottom[[8, 9]] = order[[1, 0]], order[[9, 8]]
    same, swapped_top, swapped_bottom = rbo(
        Ranking(torch.stack([order, top, bottom])), Ranking(order[None]), 0.8
    ).tolist()
    assert same == pytest.approx(1)
    assert swapped_top < swapped_bottom < 1


def test_chance_is_the_expected_overlap() -> None:
    p, tokens = 0.9, 30
    expected = (1 - p) * sum(p ** (d - 1) * d / tokens for d in range(1, tokens + 1)) + p**tokens
    assert rbo_chance(Ranking(ORACLE), p) == pytest.approx(expected)


@pytest.mark.parametrize("p", [0.0, 1.0, -0.5, 2.0])
def test_a_persistence_out_of_range_is_an_error(p: float) -> None:
    with pytest.raises(ValueError, match=f"p is {p}, must be a number above 0 and below 1"):
        rbo(Ranking(SCORES), Ranking(ORACLE), p)
