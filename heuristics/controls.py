"""Rankings that know nothing, or everything: what any heuristic has to be seen against."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.heuristic import Heuristic


@dataclass(frozen=True)
class Random(Heuristic):
    """Noise: what a ranking scores by chance. Other noise for every layer, prompt and seed; the same on every device."""

    seed: int = 0

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), uniform in [0, 1)."""
        prompt = zlib.crc32(layer.input_ids.cpu().numpy().tobytes())
        noise = torch.Generator().manual_seed(zlib.crc32(f"{self.seed} {layer.index} {prompt}".encode()))
        return torch.rand(layer.tokens, generator=noise).to(layer.keys.device)


@dataclass(frozen=True)
class Recency(Heuristic):
    """Later is better: what a plain sliding window keeps."""

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), the position."""
        return torch.arange(layer.tokens, dtype=torch.float32, device=layer.keys.device)


@dataclass(frozen=True)
class Sinks(Heuristic):
    """Earlier is better: the first tokens, which models attend to whatever they say.

    Source: Xiao et al. 2023, https://arxiv.org/abs/2309.17453.
    """

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), minus the position."""
        return -torch.arange(layer.tokens, dtype=torch.float32, device=layer.keys.device)


@dataclass(frozen=True)
class Oracle(Heuristic):
    """The oracle's own ranking at every layer: the bound, and a check (its recall and correlation are exactly 1)."""

    needs_answer: ClassVar[bool] = True

    def score(self, layer: AttentionLayer) -> Tensor:
        """Always an error: no single layer of the prompt knows the answer."""
        raise ValueError(f"the oracle's scores at layer {layer.index} are known only after the answer")

    def from_answer(self, layers: Sequence[AttentionLayer], oracle: Tensor) -> Tensor:  # noqa: ARG002
        """The oracle's own scores."""
        return oracle
