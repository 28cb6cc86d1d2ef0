"""ndcg_at_k: a value worked by hand, ir_measures, a slow loop, its chance level, and what is refused."""

import math

import pytest
import torch
from ir_measures import Qrel, ScoredDoc, iter_calc, nDCG
from torch import Tensor

from tokenrank.metrics.ndcg import ndcg_at_k, ndcg_chance
from tokenrank.metrics.ranked_tokens import Ranking


def few_values(rows: int, tokens: int, seed: int) -> Tensor:
    """Scores full of ties, not negative."""
    return torch.randint(0, 8, (rows, tokens), generator=torch.Generator().manual_seed(seed)).float()


def permutations(rows: int, tokens: int, seed: int) -> Tensor:
    """Scores without ties."""
    return torch.rand(rows, tokens, generator=torch.Generator().manual_seed(seed)).argsort(dim=1).float()


def slow_ndcg(row: list[float], truth: list[float], k: int) -> float:
    order = sorted(range(len(row)), key=lambda token: (-row[token], token))
    gained = sum(truth[token] / math.log2(place + 1) for place, token in enumerate(order[:k], start=1))
    ideal = sum(gain / math.log2(place + 1) for place, gain in enumerate(sorted(truth, reverse=True)[:k], start=1))
    return gained / ideal


def test_a_token_at_the_second_place_counts_less() -> None:
    ranking, oracle = Ranking(torch.tensor([[2.0, 1.0, 0.0]])), Ranking(torch.tensor([[1.0, 3.0, 0.0]]))
    by_hand = (1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3))
    assert ndcg_at_k(ranking, oracle, 2).tolist() == [pytest.approx(by_hand)]


@pytest.mark.parametrize("k", [1, 5, 30])
def test_it_agrees_with_ir_measures(k: int) -> None:
    """Whole gains, and no ties in the ranking: that library breaks them by name."""
    ranking, gains = permutations(4, 30, seed=1), few_values(4, 30, seed=2)
    judged = [Qrel(str(q), str(d), int(gain)) for q, row in enumerate(gains) for d, gain in enumerate(row)]
    run = [ScoredDoc(str(q), str(d), float(score)) for q, row in enumerate(ranking) for d, score in enumerate(row)]
    theirs = {result.query_id: result.value for result in iter_calc([nDCG @ k], judged, run)}
    ours = ndcg_at_k(Ranking(ranking), Ranking(gains), k).tolist()
    assert ours == pytest.approx([theirs[str(q)] for q in range(4)])
    assert ours != pytest.approx([theirs[str(3 - q)] for q in range(4)])


@pytest.mark.parametrize("k", [1, 7, 39, 40])
def test_it_agrees_with_a_loop(k: int) -> None:
    ranking, oracle = few_values(5, 40, seed=1), few_values(5, 40, seed=2)
    slow = [slow_ndcg(row, truth, k) for row, truth in zip(ranking.tolist(), oracle.tolist(), strict=True)]
    assert ndcg_at_k(Ranking(ranking), Ranking(oracle), k).tolist() == pytest.approx(slow)


@pytest.mark.parametrize("k", [1, 7, 40])
def test_the_oracle_itself_scores_one_and_its_reverse_does_not(k: int) -> None:
    oracle = few_values(3, 40, seed=2)
    assert ndcg_at_k(Ranking(oracle), Ranking(oracle), k).tolist() == pytest.approx([1.0, 1.0, 1.0])
    assert (ndcg_at_k(Ranking(-oracle), Ranking(oracle), k) < 0.9).all()


def test_the_chance_level_of_few_tokens_is_the_mean_over_all_orders() -> None:
    oracle = Ranking(torch.tensor([[0.5, 0.0, 2.0, 0.1]]))
    orders = torch.cartesian_prod(*[torch.arange(4)] * 4)
    orders = orders[[len(set(row.tolist())) == 4 for row in orders]].float()
    assert len(orders) == math.factorial(4)
    for k in (1, 2, 4):
        assert ndcg_chance(oracle, k) == pytest.approx(ndcg_at_k(Ranking(orders), oracle, k).mean().item())
        assert ndcg_chance(oracle, k) != pytest.approx(k / 4)


def test_the_chance_level_of_a_per_layer_oracle_is_the_mean_over_layers() -> None:
    oracle = few_values(3, 40, seed=2).square()
    rows = [ndcg_chance(Ranking(oracle[[i]]), 7) for i in range(3)]
    assert ndcg_chance(Ranking(oracle), 7) == pytest.approx(sum(rows) / 3)


def test_all_rows_at_once_equal_one_by_one() -> None:
    ranking, oracle = few_values(5, 40, seed=1), few_values(5, 40, seed=2)
    paired = [ndcg_at_k(Ranking(ranking[[i]]), Ranking(oracle[[i]]), 7) for i in range(5)]
    torch.testing.assert_close(ndcg_at_k(Ranking(ranking), Ranking(oracle), 7), torch.cat(paired))
    shared = [ndcg_at_k(Ranking(ranking[[i]]), Ranking(oracle[:1]), 7) for i in range(5)]
    torch.testing.assert_close(ndcg_at_k(Ranking(ranking), Ranking(oracle[:1]), 7), torch.cat(shared))
    assert not torch.allclose(torch.cat(paired), torch.cat(shared))


@pytest.mark.parametrize("k", [0, -1, 41])
def test_k_out_of_range_is_refused(k: int) -> None:
    scores = Ranking(few_values(2, 40, seed=1))
    with pytest.raises(ValueError, match=f"k is {k}, must be from 1 to the 40"):
        ndcg_at_k(scores, scores, k)


def test_other_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 40\) and truth \(2, 39\)"):
        ndcg_at_k(Ranking(few_values(2, 40, seed=1)), Ranking(few_values(2, 39, seed=1)), 3)
