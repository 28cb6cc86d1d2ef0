"""Kendall's tau-b against counting pairs, ties included."""

import itertools

import pytest
import torch

from tokenrank.metrics.kendall import kendall
from tokenrank.metrics.ranked_tokens import Ranking

DRAW = torch.Generator().manual_seed(0)
SCORES, ORACLE = (torch.randint(0, levels, (4, 25), generator=DRAW).float() for levels in (9, 6))  # many ties


def slow(ours: list[float], theirs: list[float]) -> float:
    alike = opposite = free_ours = free_theirs = 0
    for a, b in itertools.combinations(range(len(ours)), 2):
        x, y = ours[a] - ours[b], theirs[a] - theirs[b]
        alike, opposite = alike + (x * y > 0), opposite + (x * y < 0)
        free_ours, free_theirs = free_ours + (x != 0), free_theirs + (y != 0)
    return float((alike - opposite) / (free_ours * free_theirs) ** 0.5)


def test_it_is_what_counting_pairs_gives() -> None:
    found = kendall(Ranking(SCORES), Ranking(ORACLE))
    assert found.tolist() == pytest.approx([slow(a, b) for a, b in zip(SCORES.tolist(), ORACLE.tolist(), strict=True)])
    one = kendall(Ranking(SCORES), Ranking(ORACLE[:1]))
    assert one.tolist() == pytest.approx([slow(row, ORACLE[0].tolist()) for row in SCORES.tolist()])


def test_the_same_order_is_one_the_reverse_minus_one_and_none_zero() -> None:
    rows = torch.stack([torch.arange(9.0), -torch.arange(9.0), torch.ones(9)])
    assert kendall(Ranking(rows), Ranking(torch.arange(9.0)[None] ** 3)).tolist() == pytest.approx([1, -1, 0])


@pytest.mark.parametrize(
    ("scores", "truth", "wanted"),
    [([1, 2], [5, 9], 1), ([1, 2], [9, 5], -1), ([1, 1], [9, 5], 0), ([1, 2], [5, 5], 0), ([1], [5], 0)],
)
def test_one_pair_of_tokens_is_in_order_or_not(scores: list[int], truth: list[int], wanted: int) -> None:
    found = kendall(Ranking(torch.tensor([scores]).float()), Ranking(torch.tensor([truth]).float()))
    assert found.tolist() == [wanted]
    assert found.dtype == torch.float64


def test_other_tokens_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"\(4, 25\) and truth \(1, 9\) must rank as many tokens"):
        kendall(Ranking(SCORES), Ranking(torch.rand(1, 9)))
