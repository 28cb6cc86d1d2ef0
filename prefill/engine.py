"""What every engine is: a prompt goes in, the first token of the answer and a run that can be decoded from come out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tokenrank.capture.feeding import end_tokens, greedy, input_device
from tokenrank.capture.pruning import PrunedRun
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.prefill.layers import ModelLayers


@dataclass(frozen=True)
class Job:
    """A prompt to be read, and how."""

    model: PreTrainedModel
    heuristic: Heuristic | None  # ranks the tokens; None: nobody is asked
    input_ids: Tensor  # (tokens,) int64
    kept: int  # tokens that stay, above the engine's window and at most all; with all the answer is plain generation's
    room: int  # answer tokens that can be fed afterwards
    clock: bool = False  # make ``choosing_seconds`` exact on a GPU, which then waits for each layer

    @property
    def device(self) -> torch.device:
        """Where the prompt goes in."""
        return input_device(self.model)

    @property
    def driver(self) -> Heuristic:
        """Who ranks; raises ValueError where nobody does."""
        if self.heuristic is None:
            raise ValueError("the engine needs a heuristic to rank the tokens, got None")
        return self.heuristic


@dataclass(frozen=True)
class Prefilled:
    """A prompt that was read; its answer can be decoded, once."""

    run: PrunedRun
    logits: Tensor  # (vocabulary,) of the first answer token
    first_token: int  # of the answer
    kept: Tensor  # (kept,) places in the prompt of the tokens that every layer has seen, ascending
    next_position: int  # where the first answer token stands
    choosing_seconds: float  # spent on scores, on ordering them and on taking away what is not kept

    def answer(self, max_new_tokens: int) -> list[int]:
        """The greedy answer, the end-of-sequence token included where it was generated.

        Args:
            max_new_tokens: at least 1, and at most one more than the ``room`` that the prefill was given.
        """

        def feed(ids: Tensor, position: int) -> int:
            return int(self.run.decode(int(ids[0]), position).argmax())

        return greedy(feed, self.first_token, self.next_position, max_new_tokens, end_tokens(self.run.model))


@dataclass(frozen=True)
class Engine(ABC):
    """A way to run a prompt on some of its tokens. Its fields are its config; who ranks the tokens is a heuristic."""

    window: int = 8  # tokens at the end of the prompt that always stay

    def __post_init__(self) -> None:
        if self.window < 1:
            raise ValueError(f"window is {self.window}, must be at least 1 token: the last one speaks the answer")

    def settled(self, heuristic: Heuristic, layers: ModelLayers) -> Self:  # noqa: ARG002
        """The same engine with every null setting filled in for a model with these layers.

        Raises:
            ValueError: the heuristic cannot drive this engine, or the model lacks a layer that was asked for.
        """
        return self

    @abstractmethod
    def prefill(self, job: Job) -> Prefilled:
        """Reads a prompt; when it returns, the first answer token is known on the host. The engine must be ``settled``."""


def finished(run: PrunedRun, logits: Tensor, kept: Tensor, next_position: int, choosing_seconds: float) -> Prefilled:
    """The outcome of a prefill, once its first token has reached the host."""
    return Prefilled(run, logits, int(logits.argmax()), kept, next_position, choosing_seconds)


def settled_layer(select_layer: int | None) -> int:
    """The layer of an engine that was settled; raises ValueError if it was not."""
    if select_layer is None:
        raise ValueError("select_layer is null: settle the engine for its model first")
    return select_layer


@dataclass(frozen=True)
class Full(Engine):
    """Every layer sees every token: the baseline. The heuristic is not asked."""

    def prefill(self, job: Job) -> Prefilled:
        """All tokens, whatever ``kept`` says."""
        run, tokens = PrunedRun(job.model, job.input_ids, room=job.room), len(job.input_ids)
        return finished(run, run.prefill(), torch.arange(tokens), tokens, 0.0)
