"""Rankings without any knowledge of the answer, against which every heuristic is read; none of them needs the model."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.heuristic import Heuristic


class _RanksBefore(Heuristic):
    """A control ranks layer by layer, and as well before the model has read the prompt."""

    @property
    def ranks_before(self) -> bool:
        """True: the model is not asked."""
        return True


@dataclass(frozen=True)
class Random(_RanksBefore):
    """Random scores, the level of chance: different for every layer, prompt and seed, the same on every device."""

    seed: int = 0

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), uniform in [0, 1)."""
        return self._noise(layer.input_ids, str(layer.index)).to(layer.keys.device)

    def draft_scores(self, model: PreTrainedModel, input_ids: Tensor) -> Tensor:  # noqa: ARG002
        """(tokens,), uniform in [0, 1), on the CPU."""
        return self._noise(input_ids, "draft")

    def _noise(self, input_ids: Tensor, where: str) -> Tensor:
        """(tokens,) on the CPU, its own for each prompt and place of the ranking."""
        prompt = zlib.crc32(input_ids.cpu().numpy().tobytes())
        noise = torch.Generator().manual_seed(zlib.crc32(f"{self.seed} {where} {prompt}".encode()))
        return torch.rand(len(input_ids), generator=noise)


@dataclass(frozen=True)
class Control(Random):
    """The random control of an engine: random scores, but the prompt's first token ranks before all others.

    Models attend to the first token whatever it says (an attention sink), so that answers without it are poor whatever else is kept. Against
    a control that drops it most of the time, every method that keeps it would seem good.

    Source: Xiao et al. 2023, https://arxiv.org/abs/2309.17453.
    """

    def always_kept(self, tokens: int) -> Sequence[int]:
        """The first token."""
        return range(min(1, tokens))

    def _noise(self, input_ids: Tensor, where: str) -> Tensor:
        noise = super()._noise(input_ids, where)
        noise[:1] = 1.0
        return noise


@dataclass(frozen=True)
class Recency(_RanksBefore):
    """Later tokens rank higher, which is what a sliding window keeps."""

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), the position."""
        return torch.arange(layer.tokens, dtype=torch.float32, device=layer.keys.device)

    def draft_scores(self, model: PreTrainedModel, input_ids: Tensor) -> Tensor:  # noqa: ARG002
        """(tokens,), the position."""
        return torch.arange(len(input_ids), dtype=torch.float32)


@dataclass(frozen=True)
class Sinks(_RanksBefore):
    """Earlier tokens rank higher: models attend to the first tokens whatever these say (attention sinks).

    Source: Xiao et al. 2023, https://arxiv.org/abs/2309.17453.
    """

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), minus the position."""
        return -torch.arange(layer.tokens, dtype=torch.float32, device=layer.keys.device)

    def draft_scores(self, model: PreTrainedModel, input_ids: Tensor) -> Tensor:  # noqa: ARG002
        """(tokens,), minus the position."""
        return -torch.arange(len(input_ids), dtype=torch.float32)
