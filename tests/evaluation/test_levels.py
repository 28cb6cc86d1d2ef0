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
    assert levels(scores, [25, 50, 75], window=1).tolist() == [[0, 3, 2, 1, OUTSIDE], [3, 2, 1, 0, OUTSIDE]]
    assert levels(scores, [100], window=0).tolist() == [[1] * 5, [1] * 5]


@pytest.mark.parametrize("window", [0, 8])
def test_recall_follows_from_levels(window: int) -> None:
    generator = torch.Generator().manual_seed(3)
    importance, scores = (
        torch.rand(1, 203, generator=generator),
        torch.rand(4, 203, generator=generator).round(decimals=1),
    )
    percents = [40.0, 5.0, 10.0]
    found = token_levels(Truth(importance), {"claa": scores}, [0, 1, 4, 5], percents, window, None)
    assert (found.k, found.layers, found.texts) == ((5, 10, 40), (0, 1, 4, 5), None)
    assert ((found.truth == OUTSIDE).sum(), (found.rankings["claa"] == OUTSIDE).sum()) == (window, 4 * window)
    ranked = 203 - window
    for percent in percents:
        least = len(found.k) - found.k.index(percent)  # a token of this level or a higher one is among the best
        truth, ranking = ((each >= least) & (each != OUTSIDE) for each in (found.truth, found.rankings["claa"]))
        k = tokens_kept(percent, ranked)
        assert truth.sum() == k
        shares = (truth & ranking).sum(axis=1) / k
        recall = recall_at_k(Ranking(scores[:, :ranked]), Ranking(importance[:, :ranked]), k)
        np.testing.assert_allclose(shares, recall, rtol=1e-6)


def test_a_prompt_without_a_ranked_token_is_refused() -> None:
    with pytest.raises(ValueError, match="must be \\(rows, tokens\\) with a token at least"):
        levels(torch.ones(1, 8), [10], window=8)
