"""What the answer loses without tokens: against slow versions, and a made-up answer whose losses are known."""

import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor

from tokenrank.metrics.masked_answer import MaskedAnswer, datamodeling_score, gain_with_best_alone, loss_without_best
from tokenrank.metrics.ranked_tokens import Ranking

TOKENS, MASKS = 40, 64
draw = torch.Generator().manual_seed(5)
SCORES = torch.randn(3, TOKENS, generator=draw)
VISIBLE = torch.rand(MASKS, TOKENS, generator=draw) < 0.5
NEEDED = torch.zeros(TOKENS)
NEEDED[[3, 17, 30]] = torch.tensor([1.0, 2.0, 4.0])  # what the made-up answer loses without each of these tokens


def loss(visible: Tensor) -> Tensor:
    return (~visible).double() @ NEEDED.double()


def test_the_datamodeling_score_is_scipys_correlation_of_sums_and_losses() -> None:
    losses = torch.rand(MASKS, generator=draw, dtype=torch.float64)
    found = datamodeling_score(Ranking(SCORES), MaskedAnswer(VISIBLE, losses))
    for row, value in zip(SCORES, found.tolist(), strict=True):
        sums = [sum(float(row[token]) for token in range(TOKENS) if mask[token]) for mask in VISIBLE]
        assert value == pytest.approx(spearmanr(sums, -losses.numpy()).statistic, abs=1e-6)


def test_scores_that_are_the_losses_score_one_and_their_opposite_minus_one() -> None:
    masked = MaskedAnswer(VISIBLE, loss(VISIBLE))
    both = Ranking(torch.stack([NEEDED, -NEEDED, torch.ones(TOKENS) / TOKENS]))
    found = datamodeling_score(both, masked).tolist()
    assert found[:2] == pytest.approx([1, -1])
    assert abs(found[2]) < 0.5  # the number of visible tokens says little
    assert datamodeling_score(both, MaskedAnswer(VISIBLE, torch.zeros(MASKS).double())).tolist() == [0, 0, 0]


def test_hiding_the_best_tokens_costs_what_they_are_worth() -> None:
    knows = Ranking(torch.stack([NEEDED, -NEEDED]))
    assert [loss_without_best(knows, loss, k).tolist()[0] for k in (1, 2, 3, 40)] == [4, 6, 7, 7]
    assert [gain_with_best_alone(knows, loss, k).tolist()[0] for k in (1, 2, 3, 40)] == [-3, -1, 0, 0]
    assert loss_without_best(knows, loss, 37).tolist()[1] == 0
    assert gain_with_best_alone(knows, loss, 37).tolist()[1] == -7


@pytest.mark.parametrize("k", [0, TOKENS + 1])
def test_another_k_is_refused(k: int) -> None:
    for measure in (loss_without_best, gain_with_best_alone):
        with pytest.raises(ValueError, match=f"^k is {k}, must be from 1 to the {TOKENS} tokens ranked$"):
            measure(Ranking(SCORES), loss, k)


def test_masks_of_other_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^masks are of 40 tokens, must be of the 39 tokens ranked$"):
        datamodeling_score(Ranking(SCORES[:, 1:]), MaskedAnswer(VISIBLE, torch.zeros(MASKS).double()))
    with pytest.raises(ValueError, match=r"^visible is torch.bool of shape \(64, 40\) and loss has the shape \(3,\)"):
        MaskedAnswer(VISIBLE, torch.zeros(3))
