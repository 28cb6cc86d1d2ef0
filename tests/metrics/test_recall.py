"""recall_at_k: a value worked by hand, an independent version with sets, bounds, and what is refused."""

import pytest
import torch
from torch import Tensor

from tokenrank.metrics.ranked_tokens import Ranking
from tokenrank.metrics.recall import recall_at_k


def few_values(rows: int, tokens: int, seed: int) -> Tensor:
    """Scores full of ties."""
    return torch.randint(0, 8, (rows, tokens), generator=torch.Generator().manual_seed(seed)).float()


def best(row: Tensor, k: int) -> set[int]:
    """The k best tokens, the earlier first."""
    scores = row.tolist()
    return set(sorted(range(len(scores)), key=lambda token: (-scores[token], token))[:k])


def test_two_of_three_wanted_tokens_are_found() -> None:
    ranking, oracle = torch.tensor([[9.0, 8.0, 1.0, 7.0]]), torch.tensor([[0.4, 0.3, 0.2, 0.1]])
    assert recall_at_k(Ranking(ranking), Ranking(oracle), 3).tolist() == [pytest.approx(2 / 3)]


@pytest.mark.parametrize("k", [1, 7, 39, 40])
def test_it_agrees_with_sets(k: int) -> None:
    ranking, oracle = few_values(5, 40, seed=1), few_values(5, 40, seed=2)
    slow = [len(best(row, k) & best(truth, k)) / k for row, truth in zip(ranking, oracle, strict=True)]
    assert recall_at_k(Ranking(ranking), Ranking(oracle), k).tolist() == pytest.approx(slow)


@pytest.mark.parametrize("k", [1, 7, 40])
def test_the_oracle_itself_scores_one_and_its_reverse_does_not(k: int) -> None:
    oracle = few_values(3, 40, seed=2)
    assert recall_at_k(Ranking(oracle), Ranking(oracle), k).tolist() == [1.0, 1.0, 1.0]
    reverse = recall_at_k(Ranking(-oracle), Ranking(oracle), k)
    assert bool((reverse == 1).all()) == (k == 40)  # all tokens kept: nothing can be missed


def test_only_the_order_counts() -> None:
    ranking, oracle = few_values(3, 40, seed=1), Ranking(few_values(1, 40, seed=2))
    expected = recall_at_k(Ranking(ranking), oracle, 5)
    assert torch.equal(recall_at_k(Ranking((ranking - 100).exp()), oracle, 5), expected)


def test_all_rows_at_once_equal_one_by_one() -> None:
    ranking, oracle = few_values(5, 40, seed=1), few_values(5, 40, seed=2)
    paired = [recall_at_k(Ranking(ranking[[i]]), Ranking(oracle[[i]]), 7) for i in range(5)]
    assert torch.equal(recall_at_k(Ranking(ranking), Ranking(oracle), 7), torch.cat(paired))
    shared = [recall_at_k(Ranking(ranking[[i]]), Ranking(oracle[:1]), 7) for i in range(5)]
    assert torch.equal(recall_at_k(Ranking(ranking), Ranking(oracle[:1]), 7), torch.cat(shared))
    assert not torch.equal(torch.cat(paired), torch.cat(shared))


@pytest.mark.parametrize("k", [0, -1, 41])
def test_k_out_of_range_is_refused(k: int) -> None:
    scores = Ranking(few_values(2, 40, seed=1))
    with pytest.raises(ValueError, match=f"k is {k}, must be from 1 to the 40"):
        recall_at_k(scores, scores, k)


def test_other_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 40\) and truth \(2, 39\)"):
        recall_at_k(Ranking(few_values(2, 40, seed=1)), Ranking(few_values(2, 39, seed=1)), 3)
