"""spearman: scipy's with and without ties, its ends, rows that order nothing, and what is refused."""

import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor

from tokenrank.metrics.ranked_tokens import Ranking
from tokenrank.metrics.spearman import spearman


def draw(rows: int, tokens: int, seed: int) -> Tensor:
    return torch.rand(rows, tokens, generator=torch.Generator().manual_seed(seed))


def with_ties(scores: Tensor) -> Tensor:
    return (scores * 5).floor()


def by_scipy(ranking: Tensor, oracle: Tensor) -> list[float]:
    return [float(spearmanr(ranking[i].numpy(), oracle[i].numpy()).statistic) for i in range(len(ranking))]


def test_it_agrees_with_scipy() -> None:
    ranking, oracle = draw(6, 50, seed=1), draw(6, 50, seed=2) + 0.5 * draw(6, 50, seed=1)
    ours = spearman(Ranking(ranking), Ranking(oracle)).tolist()
    assert ours == pytest.approx(by_scipy(ranking, oracle))
    assert ours != pytest.approx(by_scipy(ranking.flip(0), oracle))


def test_it_agrees_with_scipy_where_tokens_tie() -> None:
    ranking, oracle = with_ties(draw(6, 50, seed=1)), with_ties(draw(6, 50, seed=2))
    assert spearman(Ranking(ranking), Ranking(oracle)).tolist() == pytest.approx(by_scipy(ranking, oracle))


def test_the_same_order_scores_one_and_the_reverse_minus_one() -> None:
    for scores in (draw(3, 50, seed=1), with_ties(draw(3, 50, seed=1))):
        assert spearman(Ranking(scores), Ranking(scores.exp())).tolist() == pytest.approx([1.0] * 3)
        assert spearman(Ranking(-scores), Ranking(scores)).tolist() == pytest.approx([-1.0] * 3)


def test_it_never_leaves_its_range() -> None:
    scores = Ranking(draw(2000, 17, seed=1))
    reverse = Ranking(-scores.scores)
    assert (scores.standard_ranks.square().sum(dim=1) > 1).any()  # as rounding has it
    assert spearman(scores, scores).max() <= 1
    assert spearman(reverse, scores).min() >= -1


def test_a_row_that_orders_nothing_gets_zero() -> None:
    scores = draw(2, 50, seed=1)
    constant = scores.clone()
    constant[0] = 0.1
    assert spearman(Ranking(constant), Ranking(scores)).tolist() == [0.0, pytest.approx(1.0)]
    assert spearman(Ranking(scores), Ranking(constant[:1])).tolist() == [0.0, 0.0]


def test_all_rows_at_once_equal_one_by_one() -> None:
    ranking, oracle = draw(5, 40, seed=1), draw(5, 40, seed=2)
    paired = [spearman(Ranking(ranking[[i]]), Ranking(oracle[[i]])) for i in range(5)]
    torch.testing.assert_close(spearman(Ranking(ranking), Ranking(oracle)), torch.cat(paired))
    shared = [spearman(Ranking(ranking[[i]]), Ranking(oracle[:1])) for i in range(5)]
    torch.testing.assert_close(spearman(Ranking(ranking), Ranking(oracle[:1])), torch.cat(shared))
    assert not torch.allclose(torch.cat(paired), torch.cat(shared))


def test_other_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 40\) and truth \(2, 39\)"):
        spearman(Ranking(draw(2, 40, seed=1)), Ranking(draw(2, 39, seed=1)))
    with pytest.raises(ValueError, match=r"\(2, 40\) and truth \(3, 40\)"):
        spearman(Ranking(draw(2, 40, seed=1)), Ranking(draw(3, 40, seed=1)))
