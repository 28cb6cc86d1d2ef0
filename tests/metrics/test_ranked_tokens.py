"""Ranking: the order with its one tie rule, standardised ranks, and what is refused."""

import pytest
import torch
from torch import Tensor

from tokenrank.metrics.ranked_tokens import Ranking, check_same_tokens


def few_values(rows: int, tokens: int) -> Tensor:
    """Scores full of ties."""
    return torch.randint(0, 4, (rows, tokens), generator=torch.Generator().manual_seed(0)).float()


def test_higher_scores_come_first() -> None:
    assert Ranking(torch.tensor([[0.1, -2.0, 0.7], [3.0, 2.0, 1.0]])).order.tolist() == [[2, 0, 1], [0, 1, 2]]


def test_of_equal_tokens_the_earlier_comes_first() -> None:
    scores = few_values(3, 2000)
    for row, order in zip(scores.tolist(), Ranking(scores).order.tolist(), strict=True):
        assert order == sorted(range(len(row)), key=lambda token: (-row[token], token))
        assert order != sorted(range(len(row)), key=lambda token: (-row[token], -token))  # ties there are


def test_minus_zero_ties_with_zero() -> None:
    ranking = Ranking(torch.tensor([[0.0, -0.0, 0.0, -0.0]]))
    assert ranking.order.tolist() == [[0, 1, 2, 3]]
    assert ranking.standard_ranks.tolist() == [[0.0, 0.0, 0.0, 0.0]]


def test_the_scores_are_not_touched() -> None:
    scores = few_values(2, 50)
    before = scores.clone()
    ranking = Ranking(scores)
    assert ranking.order is ranking.order  # sorted once
    assert ranking.standard_ranks.shape == scores.shape
    assert torch.equal(scores, before)


def test_standard_ranks_are_centred_and_of_length_one() -> None:
    ranks = Ranking(few_values(4, 60)).standard_ranks
    assert ranks.dtype == torch.float64
    torch.testing.assert_close(ranks.sum(dim=1), torch.zeros(4, dtype=torch.float64))
    torch.testing.assert_close(ranks.norm(dim=1), torch.ones(4, dtype=torch.float64))


def test_tied_tokens_share_their_average_rank() -> None:
    ranks = Ranking(torch.tensor([[5.0, 1.0, 5.0, 9.0]])).standard_ranks  # ranks 2.5, 1, 2.5, 4
    by_hand = torch.tensor([[0.0, -1.5, 0.0, 1.5]], dtype=torch.float64)
    torch.testing.assert_close(ranks, by_hand / by_hand.norm())


@pytest.mark.parametrize("shape", [(5,), (2, 3, 5), (2, 0)])
def test_scores_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=str(shape).replace("(", r"\(").replace(")", r"\)")):
        Ranking(torch.zeros(shape))


def test_a_truth_has_one_row_or_as_many_as_the_ranking() -> None:
    ranking = Ranking(torch.zeros(4, 6))
    check_same_tokens(ranking, Ranking(torch.zeros(1, 6)), k=6)
    check_same_tokens(ranking, Ranking(torch.zeros(4, 6)), k=1)
    with pytest.raises(ValueError, match=r"\(4, 6\) and truth \(3, 6\)"):
        check_same_tokens(ranking, Ranking(torch.zeros(3, 6)))
    with pytest.raises(ValueError, match=r"\(1, 6\) and truth \(4, 6\)"):
        check_same_tokens(Ranking(torch.zeros(1, 6)), Ranking(torch.zeros(4, 6)))
    with pytest.raises(ValueError, match=r"\(4, 6\) and truth \(4, 5\)"):
        check_same_tokens(ranking, Ranking(torch.zeros(4, 5)))


def test_what_was_released_is_the_same_again_and_is_not_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    ranking = Ranking(few_values(3, 50))
    before = [each.clone() for each in (ranking.order, ranking.places, ranking.standard_ranks)]
    ranking.release()
    held = [each for name, each in vars(ranking).items() if name != "scores"]
    assert [(each.dtype, each.shape) for each in held] == [(torch.int32, (3, 50))]
    monkeypatch.setattr("tokenrank.metrics.ranked_tokens.sorted_places", None)
    again = (ranking.order, ranking.places, ranking.standard_ranks)
    assert all(torch.equal(one, other) for one, other in zip(before, again, strict=True))
    fresh = Ranking(few_values(3, 50))
    fresh.release()  # nothing was computed
    assert list(vars(fresh)) == ["scores"]


def test_one_row_that_is_seen_as_several_is_sorted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []
    one = few_values(1, 50)

    def counted(scores: Tensor) -> Tensor:
        rows.append(len(scores))
        return scores.argsort(dim=1, descending=True, stable=True)

    monkeypatch.setattr("tokenrank.metrics.ranked_tokens.sorted_places", counted)
    seen, copied = Ranking(one.expand(4, -1)), Ranking(one.repeat(4, 1))
    for name in ("order", "places", "standard_ranks"):
        assert torch.equal(getattr(seen, name), getattr(copied, name))
    assert rows == [1, 4]
