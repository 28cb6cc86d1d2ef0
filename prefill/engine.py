"""What every engine is: a prompt goes in, the first token of the answer and a run that can be decoded from come out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from transformers import PreTrainedModel

from capture.feeding import end_tokens, greedy
from capture.pruning import PrunedRun
from heuristics.heuristic import Heuristic
from prefill.layers import ModelLayers


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
    def prefill(
        self,
        model: PreTrainedModel,
        heuristic: Heuristic,
        input_ids: Tensor,
        kept: int,
        room: int,
        *,
        clock: bool = False,
    ) -> Prefilled:
        """Reads a prompt; when it returns, the first answer token is known on the host.

        Args:
            model: a decoder of transformers; the engine was ``settled`` for it.
            heuristic: ranks the tokens.
            input_ids: (tokens,) int64.
            kept: tokens that stay, above ``window`` and at most all; with all of them the answer is plain generation's.
            room: answer tokens that can be fed afterwards.
            clock: make ``choosing_seconds`` exact on a GPU, which then waits for each layer.
        """


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

    def prefill(
        self,
        model: PreTrainedModel,
        heuristic: Heuristic | None,  # noqa: ARG002
        input_ids: Tensor,
        kept: int,  # noqa: ARG002
        room: int,
        *,
        clock: bool = False,
    ) -> Prefilled:
        """All tokens, whatever ``kept`` says."""
        run = PrunedRun(model, input_ids, room=room, clock=clock)
        return finished(run, run.prefill(), torch.arange(len(input_ids)), len(input_ids), 0.0)
