"""mass_at_k: a value worked by hand, a slow loop, how it differs from recall, bounds, and what is refused."""

import pytest
import torch
from torch import Tensor

from tokenrank.metrics.mass import mass_at_k
from tokenrank.metrics.ranked_tokens import Ranking
from tokenrank.metrics.recall import recall_at_k


def few_values(rows: int, tokens: int, seed: int) -> Tensor:
    """Scores full of ties, not negative."""
    return torch.randint(0, 8, (rows, tokens), generator=torch.Generator().manual_seed(seed)).float()


def slow_mass(row: list[float], truth: list[float], k: int) -> float:
    order = sorted(range(len(row)), key=lambda token: (-row[token], token))
    return sum(truth[token] for token in order[:k]) / sum(truth)


def test_the_kept_tokens_hold_five_eighths() -> None:
    ranking, oracle = torch.tensor([[3.0, 1.0, 2.0, 0.0]]), torch.tensor([[0.4, 0.1, 0.1, 0.2]])
    assert mass_at_k(Ranking(ranking), Ranking(oracle), 2).tolist() == [pytest.approx(5 / 8)]


@pytest.mark.parametrize("k", [1, 7, 39, 40])
def test_it_agrees_with_a_loop(k: int) -> None:
    ranking, oracle = few_values(5, 40, seed=1), few_values(5, 40, seed=2)
    slow = [slow_mass(row, truth, k) for row, truth in zip(ranking.tolist(), oracle.tolist(), strict=True)]
    assert mass_at_k(Ranking(ranking), Ranking(oracle), k).tolist() == pytest.approx(slow)


def test_a_perfect_ranking_scores_one_once_all_that_mattered_is_kept() -> None:
    oracle = torch.tensor([[0.0, 0.5, 0.0, 0.3, 0.0, 0.2]])
    scores = [mass_at_k(Ranking(oracle), Ranking(oracle), k).item() for k in range(1, 7)]
    assert scores == pytest.approx([0.5, 0.8, 1.0, 1.0, 1.0, 1.0])
    assert mass_at_k(Ranking(-oracle), Ranking(oracle), 3).item() == 0.0


def test_no_ranking_holds_more_than_the_oracle() -> None:
    ranking, oracle = Ranking(few_values(50, 40, seed=1)), Ranking(few_values(1, 40, seed=2))
    most = mass_at_k(oracle, oracle, 7)
    held = mass_at_k(ranking, oracle, 7)
    assert (held <= most).all()
    assert (held < most).any()


def test_a_swap_of_equal_tokens_costs_nothing_where_recall_pays() -> None:
    ranking, oracle = Ranking(torch.tensor([[0.0, 1.0, 0.0]])), Ranking(torch.tensor([[0.4, 0.4, 0.2]]))
    assert mass_at_k(ranking, oracle, 1).tolist() == mass_at_k(oracle, oracle, 1).tolist()
    assert recall_at_k(ranking, oracle, 1).tolist() != recall_at_k(oracle, oracle, 1).tolist()


def test_all_rows_at_once_equal_one_by_one() -> None:
    ranking, oracle = few_values(5, 40, seed=1), few_values(5, 40, seed=2)
    paired = [mass_at_k(Ranking(ranking[[i]]), Ranking(oracle[[i]]), 7) for i in range(5)]
    torch.testing.assert_close(mass_at_k(Ranking(ranking), Ranking(oracle), 7), torch.cat(paired))
    shared = [mass_at_k(Ranking(ranking[[i]]), Ranking(oracle[:1]), 7) for i in range(5)]
    torch.testing.assert_close(mass_at_k(Ranking(ranking), Ranking(oracle[:1]), 7), torch.cat(shared))
    assert not torch.allclose(torch.cat(paired), torch.cat(shared))


@pytest.mark.parametrize("k", [0, -1, 41])
def test_k_out_of_range_is_refused(k: int) -> None:
    scores = Ranking(few_values(2, 40, seed=1))
    with pytest.raises(ValueError, match=f"k is {k}, must be from 1 to the 40"):
        mass_at_k(scores, scores, k)


def test_other_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 40\) and truth \(3, 40\)"):
        mass_at_k(Ranking(few_values(2, 40, seed=1)), Ranking(few_values(3, 40, seed=1)), 3)
