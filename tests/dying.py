"""Heuristics that end or stop their process: one as the kernel does where memory runs out."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.heuristic import Heuristic


@dataclass(frozen=True)
class Dies(Heuristic):
    """Kills its process on prompts of ``tokens`` tokens, until it has done so ``deaths`` times."""

    folder: str  # of a file for each death
    tokens: int = 310
    deaths: int = 1

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), the position."""
        before = len(list(Path(self.folder).glob("death_*")))
        if layer.tokens == self.tokens and before < self.deaths:
            (Path(self.folder) / f"death_{before}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return torch.arange(layer.tokens, dtype=torch.float32)


@dataclass(frozen=True)
class Refuses(Heuristic):
    """Finds out when the model is loaded that it cannot rank."""

    def attach(self, model: PreTrainedModel) -> None:
        """Raises ValueError."""
        raise ValueError("it cannot rank these prompts")

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), the position."""
        return torch.arange(layer.tokens, dtype=torch.float32)


@dataclass(frozen=True)
class Hangs(Heuristic):
    """Takes minutes."""

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), the position."""
        time.sleep(600)
        return torch.arange(layer.tokens, dtype=torch.float32)
