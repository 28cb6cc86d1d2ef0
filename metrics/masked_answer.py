"""What an answer loses when tokens of its prompt are hidden from it: the data of the metrics that need no truth but the model's answer."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from tokenrank.metrics.ranked_tokens import Ranking, check_k

NEARLY_EQUAL = 0.05  # sizes of masks whose standard deviation is at most this share of their mean
Loss = Callable[
    [Tensor], Tensor
]  # (passes, tokens) bool, the ranked tokens that are visible -> (passes,) float64, nats a token


@dataclass(frozen=True)
class MaskedAnswer:
    """What an answer lost under random masks of the ranked tokens."""

    visible: Tensor  # (masks, tokens) bool
    loss: Tensor  # (masks,) float64, nats a token of the answer

    def __post_init__(self) -> None:
        if self.visible.dim() != 2 or self.visible.dtype != torch.bool or self.loss.shape != self.visible.shape[:1]:
            raise ValueError(
                f"visible is {self.visible.dtype} of shape {tuple(self.visible.shape)} and loss has the shape {tuple(self.loss.shape)}, must "
                "be torch.bool of shape (masks, tokens) and (masks,)"
            )


def datamodeling_score(ranking: Ranking, masked: MaskedAnswer) -> Tensor:
    """Linear datamodeling score (LDS): does the sum of the scores that a mask keeps predict what the answer loses under it?

        LDS = Spearman over masks of (sum of the scores of the visible tokens, minus the loss)

    Scores are counted from their mean over the ranked tokens, so that a constant that is added to all says nothing.

    Where masks differ much in the number of visible tokens, as with sentences, both are residuals of a straight line in that number
    (least squares): whatever grows with it would else predict the loss, which more hidden tokens make larger. Where they differ by a few
    tokens, as chunks of 16 and 17 tokens do, nothing is taken out: the number would tell which of the chunks are visible. The expected sum of scores that know nothing of
    the answer, drawn for tokens or for chunks, is such a line, so that their expected residual is 0 under every mask; scores whose
    sums are the losses keep a value of 1.

    Args:
        ranking: (rows, tokens); the scores themselves are used, not their order alone.
        masked: of as many tokens.

    Returns:
        (rows,) float64 in [-1, 1]; chance is 0. 0 where all sums, or all losses, are equal, or the number of tokens explains them.

    Raises:
        ValueError: the masks are of another number of tokens.

    Source: Park et al. 2023, https://arxiv.org/abs/2303.14186; for the context of an answer Cohen-Wang et al. 2024,
    https://arxiv.org/abs/2409.00729.

    >>> masked = MaskedAnswer(torch.eye(3).bool(), torch.tensor([0.1, 0.9, 0.5]).double())
    >>> datamodeling_score(Ranking(torch.tensor([[3.0, 1.0, 2.0], [3.0, 2.0, 1.0]])), masked)
    tensor([1.0000, 0.5000], dtype=torch.float64)
    """
    if masked.visible.shape[1] != ranking.tokens:
        raise ValueError(
            f"masks are of {masked.visible.shape[1]} tokens, must be of the {ranking.tokens} tokens ranked"
        )
    visible, scores, gain = masked.visible.double(), ranking.scores.double(), -masked.loss[None].double()
    sums, sizes = (scores - scores.mean(dim=1, keepdim=True)) @ visible.T, visible.sum(dim=1)
    kept = _rounded(_beyond_size(sums, sizes), scores.abs() @ visible.T)
    lost = _rounded(_beyond_size(gain, sizes), gain)
    return (Ranking(kept).standard_ranks * Ranking(lost).standard_ranks).sum(dim=1).clamp(-1, 1)


def _beyond_size(values: Tensor, sizes: Tensor) -> Tensor:
    """What a line in the sizes of the masks leaves of values; the values themselves where all sizes are nearly equal.

    Args:
        values: (rows, masks) float64.
        sizes: (masks,) float64.

    >>> _beyond_size(torch.tensor([[2.0, 4.0, 9.0]]).double(), torch.tensor([1.0, 2.0, 3.0]).double()).round(decimals=6)
    tensor([[ 0.5000, -1.0000,  0.5000]], dtype=torch.float64)
    """
    if float(sizes.std(correction=0)) <= NEARLY_EQUAL * float(sizes.mean()):
        return values
    sizes = sizes - sizes.mean()
    centred = values - values.mean(dim=1, keepdim=True)
    return centred - (centred @ sizes / (sizes @ sizes))[:, None] * sizes


def _rounded(values: Tensor, terms: Tensor) -> Tensor:
    """(rows, masks): shares of the largest of the terms that they come from, rounded so that what rounding left of equal values is equal."""
    return (values / terms.abs().amax(dim=1, keepdim=True).clamp(min=torch.finfo(values.dtype).tiny)).round(decimals=9)


def loss_without_best(ranking: Ranking, loss: Loss, k: int) -> Tensor:
    """What the answer loses when the ``k`` best tokens are hidden from it.

    Args:
        ranking: (rows, tokens); only the order is used.
        loss: of the answer.
        k: tokens, 1 <= k <= tokens.

    Returns:
        (rows,) float64, nats a token of the answer; higher = the ranking found what the answer needs. May be below 0.

    Raises:
        ValueError: k is out of range.
    """
    return loss(~best(ranking, k))


def gain_with_best_alone(ranking: Ranking, loss: Loss, k: int) -> Tensor:
    """Minus what the answer loses when of the ranked tokens the ``k`` best alone are visible to it.

    Args and Raises as for ``loss_without_best``.

    Returns:
        (rows,) float64, nats a token of the answer, mostly at most 0; higher = the ranking kept what the answer needs.
    """
    return -loss(best(ranking, k))


def best(ranking: Ranking, k: int) -> Tensor:
    """(rows, tokens) bool: whether each token is among the ``k`` best.

    >>> best(Ranking(torch.tensor([[0.1, 0.9, 0.5]])), 2)
    tensor([[False,  True,  True]])
    """
    check_k(ranking, k)
    return ranking.places < k
