"""needle_recall_at_k: values worked by hand, a loop, bounds, and what is refused."""

import pytest
import torch
from torch import Tensor

from tokenrank.metrics.needle import needle_recall_at_k
from tokenrank.metrics.ranked_tokens import Ranking

NEEDLE = range(10, 16)


def few_values(rows: int, tokens: int, seed: int) -> Tensor:
    """Scores full of ties."""
    return torch.randint(0, 8, (rows, tokens), generator=torch.Generator().manual_seed(seed)).float()


def looking_at(*tokens: int) -> Ranking:
    """One row of 40 tokens; those named come first, the others follow in order."""
    scores = torch.zeros(1, 40)
    scores[0, list(tokens)] = 1.0
    return Ranking(scores)


def test_the_needle_on_top_scores_one() -> None:
    assert needle_recall_at_k(looking_at(*NEEDLE), NEEDLE, k=6).tolist() == [1.0]
    assert needle_recall_at_k(looking_at(*NEEDLE), NEEDLE, k=20).tolist() == [1.0]


def test_the_tokens_beside_the_needle_do_not_count() -> None:
    assert needle_recall_at_k(looking_at(8, 9, 16, 17), NEEDLE, k=4).tolist() == [0.0]
    assert needle_recall_at_k(looking_at(9, 10, 15, 16), NEEDLE, k=4).tolist() == [pytest.approx(2 / 6)]


def test_fewer_kept_tokens_than_the_needle_has_cannot_hold_it() -> None:
    assert needle_recall_at_k(looking_at(*NEEDLE), NEEDLE, k=3).tolist() == [pytest.approx(3 / 6)]


def test_every_token_kept_holds_the_needle() -> None:
    assert needle_recall_at_k(Ranking(few_values(3, 40, seed=1)), NEEDLE, k=40).tolist() == [1.0] * 3


@pytest.mark.parametrize("k", [1, 7, 39])
def test_it_agrees_with_a_loop_row_by_row(k: int) -> None:
    ranking = few_values(5, 40, seed=1)
    slow = []
    for row in ranking.tolist():
        order = sorted(range(40), key=lambda token: (-row[token], token))
        slow.append(sum(token in NEEDLE for token in order[:k]) / len(NEEDLE))
    together = needle_recall_at_k(Ranking(ranking), NEEDLE, k)
    assert together.tolist() == pytest.approx(slow)
    alone = [needle_recall_at_k(Ranking(ranking[[i]]), NEEDLE, k) for i in range(5)]
    assert torch.equal(together, torch.cat(alone))


@pytest.mark.parametrize("k", [0, -1, 41])
def test_k_out_of_range_is_refused(k: int) -> None:
    with pytest.raises(ValueError, match=f"k is {k}, must be from 1 to the 40"):
        needle_recall_at_k(looking_at(0), NEEDLE, k)


@pytest.mark.parametrize("needle", [range(0), range(5, 5), range(-1, 3), range(35, 41)])
def test_a_needle_outside_the_ranked_tokens_is_refused(needle: range) -> None:
    with pytest.raises(ValueError, match=rf"range\({needle.start}, {needle.stop}\).* 40 tokens"):
        needle_recall_at_k(looking_at(0), needle, k=3)
