"""Parts of a run for tests: each does one thing wrong, or notes that it was called. Configs name them by ``_target_``."""

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.capture.layer import AttentionLayer
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.tasks.task import Prompt, Task

CALLED: list[str] = []  # names of what was called


def function(*_: object, **__: object) -> None:
    """A function that no config may call."""
    CALLED.append("function")


class Stranger:
    """A class that is no part of a run."""

    def __init__(self, **_: object) -> None:
        CALLED.append("Stranger")


@dataclass(frozen=True)
class Noting(Heuristic):
    """Notes that it was made."""

    window: int = 8

    def __post_init__(self) -> None:
        CALLED.append("Noting")

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), the position."""
        return torch.arange(layer.tokens, dtype=torch.float32)


@dataclass(frozen=True)
class Fails(Heuristic):
    """Breaks on prompts of so many tokens, or runs out of memory there."""

    tokens: int = 340
    memory: bool = False

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), the position."""
        if layer.tokens == self.tokens:
            raise MemoryError("no room") if self.memory else RuntimeError("it broke")
        return torch.arange(layer.tokens, dtype=torch.float32)


@dataclass(frozen=True)
class GivenPrompts(Task):
    """Prompts with these ids, all alike: so many tokens, and these reference answers."""

    ids: list[str]
    tokens: int = 60
    answers: list[str] | None = None
    max_new_tokens: int = 3

    def prompts(self, tokenizer: Tokenizer, max_tokens: int) -> list[Prompt]:
        """In the order of the ids, each of a task of its own."""
        ids, answers = tuple(range(self.tokens)), tuple(self.answers or ())
        return [Prompt(each, f"given/{n}", ids, self.max_new_tokens, answers) for n, each in enumerate(self.ids)]
