"""What an answer loses when the prompt's cache is pruned: the same tokens under the full and under the pruned cache."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

CLIP = 5.0  # nats: a single token's loss counts as at most this, and at least minus this
BLOCK = 1 << 24  # logits that are in float32 at a time: 64 MiB


@dataclass(frozen=True)
class FullAnswer:
    """An answer under the full cache, with which any number of pruned caches are compared."""

    log_probabilities: Tensor  # (T, vocabulary) float32, of each answer token given those before it
    ids: Tensor  # (T,) int64, the answer

    @cached_property
    def probabilities(self) -> Tensor:
        """(T, vocabulary) float32."""
        return self.log_probabilities.exp()

    @cached_property
    def choices(self) -> Tensor:
        """(T,) int64: the most likely tokens."""
        return self.log_probabilities.argmax(dim=1)

    @classmethod
    def of(cls, logits: Tensor, answer_ids: Tensor) -> Self:
        """The answer from the logits of the full cache.

        Args:
            logits: (T, vocabulary) of any float type; row t is that from which answer token t is chosen. -inf: a token that the
                model forbids.
            answer_ids: (T,) integers below the vocabulary, on any device.

        Raises:
            ValueError: the shapes do not fit, the answer is empty, an id is outside of the vocabulary, or an answer token has no
                finite log-probability.
        """
        if logits.ndim != 2 or answer_ids.ndim != 1 or len(logits) != len(answer_ids):
            raise ValueError(
                f"logits {tuple(logits.shape)} and answer_ids {tuple(answer_ids.shape)} must have the shapes (T, vocabulary) and (T,)"
            )
        if not len(answer_ids):
            raise ValueError("answer_ids is empty, must hold at least one token")
        ids = answer_ids.to(logits.device, torch.int64)
        if not bool(((ids >= 0) & (ids < logits.shape[1])).all()):
            raise ValueError(f"answer_ids hold {_outside(ids, logits.shape[1])}, must be in 0..{logits.shape[1] - 1}")
        found = cls(logits.float().log_softmax(dim=1), ids)
        _check_finite(found.chosen(found.log_probabilities), "log-probability under the full cache")
        return found

    def chosen(self, log_probabilities: Tensor) -> Tensor:
        """(T,): those of the answer's tokens."""
        return log_probabilities.gather(1, self.ids[:, None])[:, 0]

    def loss_of(self, logits: Tensor) -> dict[str, float]:
        """What the answer loses under a pruned cache.

        Args:
            logits: (T, vocabulary) of any float type, on the device of the full cache's.

        Returns:
            Means over the answer's tokens, computed from float32 log-softmax:

            - ``logprob``: log p of the answer's token under the pruned cache, nats a token, <= 0.
            - ``loss``: log p under the full cache - log p under the pruned one, nats a token. Below 0 where pruning makes the answer
              more likely.
            - ``loss_clipped``: the same with each token's loss limited to -5..5 nats, as one token can decide a mean.
            - ``kl``: Kullback-Leibler divergence of the pruned cache's distribution from the full one's, nats a token, >= 0.
            - ``same_token``: share of the tokens whose most likely token is the same under both, in [0, 1].
            - ``departure``: not a mean but the number of tokens before the first whose most likely token differs; T where none does.

        Raises:
            ValueError: the shape differs from the full cache's, or a token's value is not finite: logits are NaN or +inf, or the pruned
                cache forbids a token that is possible under the full one.
        """
        if logits.shape != self.log_probabilities.shape:
            raise ValueError(
                f"logits of the pruned cache {tuple(logits.shape)} must have the shape of the full one's, "
                f"{tuple(self.log_probabilities.shape)}"
            )
        each = [self._of_rows(rows, logits) for rows in _blocks(*logits.shape)]
        logprob, kl, same = (
            torch.cat(values).double() for values in zip(*(block.cpu().unbind() for block in each), strict=True)
        )
        _check_finite(logprob, "log-probability under the pruned cache")
        _check_finite(kl, "Kullback-Leibler divergence")
        loss = self.chosen(self.log_probabilities).cpu().double() - logprob
        return {
            "logprob": float(logprob.mean()),
            "loss": float(loss.mean()),
            "loss_clipped": float(loss.clamp(-CLIP, CLIP).mean()),
            "kl": float(kl.mean()),
            "same_token": float(same.mean()),
            "departure": float(same.cumprod(0).sum()),
        }

    def _of_rows(self, rows: slice, logits: Tensor) -> Tensor:
        """(3, rows) float32: log p of the answer's token, KL, and 1 where the most likely token is the same."""
        full, probabilities = self.log_probabilities[rows], self.probabilities[rows]
        pruned = logits[rows].float().log_softmax(dim=1)
        kl = torch.linalg.vecdot(probabilities, full - pruned)
        if not bool(kl.isfinite().all()):  # a forbidden token: 0 * log 0 = 0
            kl = (probabilities * (full - pruned)).masked_fill(full == -torch.inf, 0).sum(dim=1)
        same = self.choices[rows] == pruned.argmax(dim=1)
        own = pruned.gather(1, self.ids[rows, None])[:, 0]
        return torch.stack([own, kl.clamp(min=0), same.float()])  # below 0 is rounding


def answer_loss(full: Tensor, pruned: Tensor, answer_ids: Tensor) -> dict[str, float]:
    """What an answer loses under one pruned cache; ``FullAnswer`` serves several at less cost.

    Args:
        full: (T, vocabulary) logits under the full cache.
        pruned: (T, vocabulary) logits under the pruned cache.
        answer_ids: (T,) the answer.

    Returns:
        As ``FullAnswer.loss_of``.

    Raises:
        ValueError: as ``FullAnswer.of`` and ``FullAnswer.loss_of``.

    >>> full, pruned = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, 1.0986]])  # probabilities 1/2, 1/2 and 1/4, 3/4
    >>> {name: round(value, 3) for name, value in answer_loss(full, pruned, torch.tensor([0])).items()}
    {'logprob': -1.386, 'loss': 0.693, 'loss_clipped': 0.693, 'kl': 0.144, 'same_token': 0.0, 'departure': 0.0}
    """
    return FullAnswer.of(full, answer_ids).loss_of(pruned)


def _blocks(rows: int, vocabulary: int) -> Iterator[slice]:
    """Rows that are computed together, so that few float32 copies exist at a time."""
    at_once = max(1, BLOCK // vocabulary)
    return (slice(start, start + at_once) for start in range(0, rows, at_once))


def _outside(ids: Tensor, vocabulary: int) -> int:
    return int(ids[(ids < 0) | (ids >= vocabulary)][0])


def _check_finite(values: Tensor, what: str) -> None:
    finite = values.isfinite()
    if not bool(finite.all()):
        place = int((~finite).nonzero()[0])
        raise ValueError(
            f"the {what} of answer token {place} of {len(values)} is {float(values[place])}, must be finite"
        )
