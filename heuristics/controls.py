"""Rankings without any knowledge of the answer, against which every heuristic is read."""

import zlib
from dataclasses import dataclass

import torch
from torch import Tensor

from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.heuristic import Heuristic


@dataclass(frozen=True)
class Random(Heuristic):
    """Random scores, the level of chance: different for every layer, prompt and seed, the same on every device."""

    seed: int = 0

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), uniform in [0, 1)."""
        prompt = zlib.crc32(layer.input_ids.cpu().numpy().tobytes())
        noise = torch.Generator().manual_seed(zlib.crc32(f"{self.seed} {layer.index} {prompt}".encode()))
        return torch.rand(layer.tokens, generator=noise).to(layer.keys.device)


@dataclass(frozen=True)
class Recency(Heuristic):
    """Later tokens rank higher, which is what a sliding window keeps."""

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), the position."""
        return torch.arange(layer.tokens, dtype=torch.float32, device=layer.keys.device)


@dataclass(frozen=True)
class Sinks(Heuristic):
    """Earlier tokens rank higher: models attend to the first tokens whatever these say (attention sinks).

    Source: Xiao et al. 2023, https://arxiv.org/abs/2309.17453.
    """

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), minus the position."""
        return -torch.arange(layer.tokens, dtype=torch.float32, device=layer.keys.device)
