"""Average precision against ir-measures and a loop."""

import ir_measures
import pytest
import torch

from tokenrank.metrics.average_precision import average_precision_at_k, average_precision_chance
from tokenrank.metrics.ranked_tokens import Ranking

DRAW = torch.Generator().manual_seed(0)
SCORES, ORACLE = torch.rand(4, 30, generator=DRAW), torch.rand(4, 30, generator=DRAW)


def independent(scores: torch.Tensor, oracle: torch.Tensor, k: int) -> float:
    relevant = set(Ranking(oracle[None]).order[0, :k].tolist())
    judged = [ir_measures.Qrel("q", str(token), int(token in relevant)) for token in range(len(scores))]
    run = [ir_measures.ScoredDoc("q", str(token), float(score)) for token, score in enumerate(scores)]
    return float(ir_measures.calc_aggregate([ir_measures.AP], judged, run)[ir_measures.AP])


@pytest.mark.parametrize("k", [1, 5, 30])
def test_it_is_that_of_an_independent_library(k: int) -> None:
    wanted = [independent(scores, oracle, k) for scores, oracle in zip(SCORES, ORACLE, strict=True)]
    assert average_precision_at_k(Ranking(SCORES), Ranking(ORACLE), k).tolist() == pytest.approx(wanted)
    against_one = [independent(scores, ORACLE[0], k) for scores in SCORES]
    assert average_precision_at_k(Ranking(SCORES), Ranking(ORACLE[:1]), k).tolist() == pytest.approx(against_one)


def test_a_perfect_ranking_is_one_and_the_worst_by_hand() -> None:
    oracle = Ranking(torch.arange(4.0)[None])
    perfect, worst = average_precision_at_k(Ranking(torch.stack([torch.arange(4.0), -torch.arange(4.0)])), oracle, 2)
    assert float(perfect) == 1
    assert float(worst) == pytest.approx((1 / 3 + 2 / 4) / 2)


def test_chance_is_exact_for_every_order_of_few_tokens() -> None:
    import itertools

    orders = Ranking(torch.tensor(list(itertools.permutations([1.0, 2.0, 3.0, 4.0, 5.0]))))
    oracle = Ranking(torch.arange(5.0)[None])
    for k in range(1, 6):
        assert float(average_precision_at_k(orders, oracle, k).mean()) == pytest.approx(
            average_precision_chance(oracle, k)
        )
