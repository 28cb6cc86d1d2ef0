"""What the answer loses without tokens: against slow versions, and a made-up answer whose losses are known."""

import numpy as np
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


EVEN = torch.rand(MASKS, TOKENS, generator=draw).argsort(dim=1) < TOKENS // 2  # equally many tokens in every mask
SENTENCES = [1, 2, 3, 5, 8, 1, 12, 4, 2, 2]  # tokens of each
UNEVEN = (torch.rand(MASKS, len(SENTENCES), generator=draw).argsort(dim=1) < 5).repeat_interleave(
    torch.tensor(SENTENCES), dim=1
)


def loss(visible: Tensor) -> Tensor:
    return (~visible).double() @ NEEDED.double()


def test_the_datamodeling_score_is_scipys_correlation_of_sums_and_losses() -> None:
    losses = torch.rand(MASKS, generator=draw, dtype=torch.float64)
    found = datamodeling_score(Ranking(SCORES), MaskedAnswer(EVEN, losses))
    for row, value in zip(SCORES, found.tolist(), strict=True):
        sums = [sum(float(row[token]) for token in range(TOKENS) if mask[token]) for mask in EVEN]
        assert value == pytest.approx(spearmanr(sums, -losses.numpy()).statistic, abs=1e-6)


@pytest.mark.parametrize("visible", [VISIBLE, UNEVEN])
def test_of_masks_of_unequal_size_what_their_size_explains_is_left_out(visible: Tensor) -> None:
    losses = torch.rand(MASKS, generator=draw, dtype=torch.float64)
    found = datamodeling_score(Ranking(SCORES), MaskedAnswer(visible, losses))
    sizes = visible.sum(dim=1).numpy().astype(float)
    for row, value in zip(SCORES.double().numpy(), found.tolist(), strict=True):
        sums = visible.numpy() @ row
        left = [each - np.polyval(np.polyfit(sizes, each, 1), sizes) for each in (sums, -losses.numpy())]
        assert value == pytest.approx(spearmanr(left[0], left[1]).statistic, abs=1e-6)


@pytest.mark.parametrize("visible", [EVEN, UNEVEN])
def test_a_constant_that_is_added_to_all_scores_changes_nothing(visible: Tensor) -> None:
    masked = MaskedAnswer(visible, torch.rand(MASKS, generator=draw, dtype=torch.float64))
    found = datamodeling_score(Ranking(SCORES.double()), masked)
    assert datamodeling_score(Ranking(SCORES.double() + 7), masked).tolist() == pytest.approx(found.tolist(), abs=1e-9)


def test_positive_scores_without_information_score_zero_in_expectation_where_sentences_differ_in_length() -> None:
    sizes = (~UNEVEN).sum(dim=1).double()  # every hidden token costs something
    masked = MaskedAnswer(UNEVEN, sizes + 2 * torch.rand(MASKS, generator=draw, dtype=torch.float64))
    of_tokens = torch.rand(2000, TOKENS, generator=draw) ** 3
    of_sentences = torch.rand(2000, len(SENTENCES), generator=draw).repeat_interleave(torch.tensor(SENTENCES), dim=1)
    shares = of_sentences / torch.tensor(SENTENCES).repeat_interleave(torch.tensor(SENTENCES))
    for scores in (of_tokens, of_sentences, shares):
        assert float(datamodeling_score(Ranking(scores), masked).mean()) == pytest.approx(0, abs=0.03)
    sums = of_tokens.double() @ UNEVEN.double().T
    assert np.mean([spearmanr(row, -masked.loss).statistic for row in sums[:50]]) > 0.5  # with what sizes explain


def test_a_chunk_that_is_a_token_longer_than_the_others_counts_as_they_do() -> None:
    lengths = torch.tensor([16, 16, 17, 16, 16, 16])  # the size of a mask says whether the third is visible
    chunks = torch.rand(MASKS, len(lengths), generator=draw).argsort(dim=1) < 3
    visible = chunks.repeat_interleave(lengths, dim=1)
    masked = MaskedAnswer(visible, (~chunks[:, 2]).double())  # it holds all that the answer needs
    right = torch.eye(6)[2].repeat_interleave(lengths) + torch.rand(97, generator=draw) / 1000
    found = datamodeling_score(Ranking(torch.stack([right, -right, torch.full((97,), 0.1)])), masked)
    assert found.tolist() == pytest.approx([0.87, -0.87, 0], abs=0.05)  # the losses are 0 or 1, so many tie
    assert found.tolist()[2] == 0  # equal scores say nothing, though the sum of any constant tells the chunk


@pytest.mark.parametrize("visible", [EVEN, VISIBLE, UNEVEN])
def test_scores_that_are_the_losses_score_one_and_their_opposite_minus_one(visible: Tensor) -> None:
    masked = MaskedAnswer(visible, loss(visible))
    both = Ranking(torch.stack([NEEDED, -NEEDED, torch.ones(TOKENS) / TOKENS]))
    assert datamodeling_score(both, masked).tolist() == pytest.approx([1, -1, 0], abs=1e-3)
    assert datamodeling_score(both, masked).tolist()[2] == 0  # equal scores say nothing
    assert datamodeling_score(both, MaskedAnswer(visible, torch.zeros(MASKS).double())).tolist() == [0, 0, 0]


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
