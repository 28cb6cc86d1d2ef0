"""What a prompt's answer loses when tokens of the prompt are hidden from it: one pass over the answer for each choice of tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from tokenrank.capture.answer_passes import AnswerPasses
from tokenrank.evaluation.setting_checks import check_whole
from tokenrank.metrics.answer_loss import CLIP
from tokenrank.records.digests import ids_digest
from tokenrank.tasks.chunks import chunked, of_context, visible_where
from tokenrank.tasks.task import Prompt


@dataclass(frozen=True)
class Masks:
    """Random masks of a prompt's chunks, under which it is measured what the answer loses."""

    count: int = 64
    keep: float = 50.0  # percent of the chunks that are visible: equally many in every mask, so that their number predicts nothing
    seed: int = 0  # every prompt has other masks, and no oracle has them

    def __post_init__(self) -> None:
        check_whole("masks.count", self.count, 2)
        check_whole("masks.seed", self.seed, 0)
        if not 0 < self.keep < 100:
            raise ValueError(f"masks.keep is {self.keep:g} percent, must be above 0 and below 100")

    def draw(self, prompt: Prompt, chunks: int) -> Tensor:
        """(count, chunks) bool, which of a prompt's two or more chunks are visible: at least one, and not all."""
        visible = min(max(round(chunks * self.keep / 100), 1), chunks - 1)
        generator = torch.Generator().manual_seed(int(ids_digest([self.seed, *prompt.input_ids])[:15], 16))
        return torch.rand(self.count, chunks, generator=generator).argsort(dim=1).argsort(dim=1) < visible


@dataclass(frozen=True)
class AnswerLosses:
    """Losses of one answer where some of the prompt's tokens are hidden from it."""

    passes: AnswerPasses

    @cached_property
    def whole(self) -> Tensor:
        """(T,) float32: log-probability of each token of the answer where all is visible."""
        return self.passes.logprobs(torch.ones(1, self.passes.tokens, dtype=torch.bool))[0]

    def of(self, places: range, visible: Tensor) -> Tensor:
        """(passes,) float64, nats a token: means of the log-probability that the answer's tokens lose, each within 5 nats.

        Args:
            places: positions of the tokens that are hidden in some of the passes; all others, and the prompt's last, are always visible.
            visible: (passes, places) bool.

        Raises:
            ValueError: a log-probability is NaN or infinite.
        """
        whole = torch.ones(len(visible), self.passes.tokens, dtype=torch.bool)
        whole[:, places.start : places.stop] = visible
        losses = self.whole - self.passes.logprobs(whole)
        if not bool(losses.isfinite().all()):
            raise ValueError("a loss of the answer with hidden tokens is NaN or infinite, must be finite")
        return losses.clamp(-CLIP, CLIP).double().mean(dim=1)


def all_hidden(places: range) -> Tensor:
    """(1, places) bool, False: a pass that sees none of them."""
    return torch.zeros(1, len(places), dtype=torch.bool)


def chunks_masked(
    prompt: Prompt, universe: range, texts: Sequence[str] | None, chunk: int | str
) -> tuple[list[range], list[int]]:
    """The chunks of a prompt, and numbers of those that random masks hide: those with ranked tokens, of its context where it has one.

    Args:
        prompt: to be masked.
        universe: positions of the ranked tokens.
        texts: of its tokens, for chunks that are sentences.
        chunk: tokens, or ``sentence``.

    Raises:
        ValueError: there are fewer than two, or as ``chunked``.
    """
    chunks = chunked(len(prompt.input_ids), chunk, prompt.context, texts)
    every = of_context(chunks, prompt.context)
    own = [number for number in every if chunks[number].start < universe.stop and chunks[number].stop > universe.start]
    if len(own) < 2:
        raise ValueError(
            f"chunk={chunk} makes {len(own)} chunk of the ranked tokens of prompt {prompt.id} of {prompt.task}, must make at least 2, as random masks hide "
            "some of them: set chunk lower"
        )
    return chunks, own


def visible_under_masks(
    prompt: Prompt, universe: range, texts: Sequence[str] | None, chunk: int | str, masks: Masks
) -> Tensor:
    """(masks, ranked tokens) bool: what random masks leave of a prompt's chunks, those of its context where it has one.

    Args:
        prompt: that is masked.
        universe: positions of the ranked tokens.
        texts: of its tokens, for chunks that are sentences.
        chunk: tokens, or ``sentence``.
        masks: of the chunks.

    Raises:
        ValueError: as ``chunks_masked``.
    """
    chunks, own = chunks_masked(prompt, universe, texts, chunk)
    return visible_where(chunks, own, masks.draw(prompt, len(own)))[:, universe.start : universe.stop]
