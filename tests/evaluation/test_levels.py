"""evaluation/levels.py: levels agree with the tokens that recall counts, and with a count by hand."""

import numpy as np
import pytest
import torch

from tokenrank.evaluation.levels import levels, token_levels
from tokenrank.metrics.metric import tokens_kept
from tokenrank.metrics.ranked_tokens import Ranking
from tokenrank.metrics.recall import recall_at_k
from tokenrank.oracle.oracle import Truth
from tokenrank.records.token_levels import OUTSIDE


def test_levels_by_hand_with_ties_and_a_window() -> None:
    scores = torch.tensor([[1.0, 3.0, 3.0, 2.0, 9.0], [5.0, 4.0, 3.0, 2.0, 1.0]])
    assert levels(scores, [25, 50, 75], range(4)).tolist() == [[0, 3, 2, 1, OUTSIDE], [3, 2, 1, 0, OUTSIDE]]
    assert levels(scores, [100], range(5)).tolist() == [[1] * 5, [1] * 5]
    assert levels(scores, [50], range(1, 3)).tolist() == [[OUTSIDE, 1, 0, OUTSIDE, OUTSIDE]] * 2


@pytest.mark.parametrize("universe", [range(203), range(195), range(20, 150)])
def test_recall_follows_from_levels(universe: range) -> None:
    generator = torch.Generator().manual_seed(3)
    importance, scores = (
        torch.rand(1, 203, generator=generator),
        torch.rand(4, 203, generator=generator).round(decimals=1),
    )
    percents = [40.0, 5.0, 10.0]
    found = token_levels({"attention": Truth(importance)}, {"claa": scores}, [0, 1, 4, 5], percents, universe, None)
    assert (found.k, found.layers, found.texts) == ((5, 10, 40), (0, 1, 4, 5), None)
    outside = 203 - len(universe)
    assert ((found.truth == OUTSIDE).sum(), (found.rankings["claa"] == OUTSIDE).sum()) == (outside, 4 * outside)
    for percent in percents:
        least = len(found.k) - found.k.index(percent)  # a token of this level or a higher one is among the best
        truth, ranking = ((each >= least) & (each != OUTSIDE) for each in (found.truth, found.rankings["claa"]))
        k = tokens_kept(percent, len(universe))
        assert truth.sum() == k
        shares = (truth & ranking).sum(axis=1) / k
        own = slice(universe.start, universe.stop)
        recall = recall_at_k(Ranking(scores[:, own]), Ranking(importance[:, own]), k)
        np.testing.assert_allclose(shares, recall, rtol=1e-6)


def test_a_prompt_without_a_ranked_token_is_refused() -> None:
    with pytest.raises(ValueError, match="must be \\(rows, tokens\\) with a token at least"):
        levels(torch.ones(1, 8), [10], range(0))


def test_every_truth_has_levels_by_rank_whatever_its_sign() -> None:
    signed = torch.tensor([[-0.5, 0.25, -3.0, 0.0]])
    each_layer = torch.tensor([[4.0, 3.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]])
    truths = {
        "attention": Truth(torch.tensor([[0.1, 0.2, 0.3, 0.4]])),
        "ablation": Truth(signed),
        "own": Truth(each_layer),
    }
    found = token_levels(truths, {}, [0, 1], [25, 50], range(4), None)
    assert found.truth.tolist() == [[0, 0, 1, 2]]
    assert list(found.others) == ["ablation", "own"]
    assert found.others["ablation"].levels.tolist() == [[0, 2, 0, 1]]
    assert found.others["ablation"].importance.tolist() == signed.tolist()
    assert found.others["own"].levels.tolist() == [[2, 1, 0, 0], [0, 0, 1, 2]]
