"""The base class of oracles: how important was each token of the prompt to a given answer?"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tokenrank.capture.answer_passes import AnswerPasses, check_passes
from tokenrank.capture.layer import AttentionLayer


@dataclass(frozen=True)
class Answer:
    """Token ids of an answer and where they came from."""

    token_ids: tuple[int, ...]  # the end-of-sequence token included, if the model generated it
    origin: str  # "generated" (greedily, by the model) "reference" (the task's first reference answer) or "brought" (made elsewhere)


@dataclass(frozen=True)
class Truth:
    """Importance of the prompt's tokens to one answer."""

    importance: Tensor  # (1 or layers, tokens) float32 on the CPU; higher = more important; any sign

    def __post_init__(self) -> None:
        found = self.importance
        if found.dim() != 2 or found.dtype != torch.float32 or found.device.type != "cpu":
            raise ValueError(
                f"importance is {found.dtype} of shape {tuple(found.shape)} on {found.device}, "
                "must be torch.float32 of shape (1 or layers, tokens) on the CPU"
            )


@dataclass(frozen=True)
class OracleNeeds:
    """What an oracle reads of an answered prompt beyond its tokens and the model; nothing else is kept for it."""

    layers: bool = True  # the answer's queries and the prompt's keys
    passes: bool = False  # the answer on the prompt's cache; models with a state of all tokens together have none
    texts: bool = False  # of each token

    @staticmethod
    def together(all_needs: "Sequence[OracleNeeds]") -> "OracleNeeds":
        """What serves all of them.

        >>> OracleNeeds.together([OracleNeeds(), OracleNeeds(layers=False, texts=True)])
        OracleNeeds(layers=True, passes=False, texts=True)
        """
        return OracleNeeds(*(any(getattr(each, name) for each in all_needs) for name in ("layers", "passes", "texts")))


@dataclass(frozen=True)
class AnsweredPrompt:
    """All that an oracle may look at: the model, one prompt, and an answer to it."""

    model: PreTrainedModel
    input_ids: Tensor  # (tokens,) int64, the prompt
    answer: Answer
    layers: Sequence[
        AttentionLayer
    ]  # in order, with the queries that predicted the answer tokens and the prompt's keys
    passes: AnswerPasses | None = None  # where the oracle needs them
    texts: tuple[str, ...] | None = None  # what each token adds to the prompt's text, where the oracle needs it
    context: range | None = None  # places of the text that the question is about; None: the prompt has no such part

    @property
    def answer_ids(self) -> Tensor:
        """(T,) int64, of the answer."""
        return torch.tensor(self.answer.token_ids, dtype=torch.int64)

    def needed_passes(self) -> AnswerPasses:
        """The passes; raises ValueError where there are none."""
        if self.passes is None:
            raise ValueError("the oracle needs passes over the answer (AnsweredPrompt.passes), got None")
        return self.passes


class Oracle(ABC):
    """Computes the importance of prompt tokens from an answer. Subclasses are frozen dataclasses; their fields are their config."""

    signed: ClassVar[bool] = False  # whether importance may be below 0

    @property
    def needs(self) -> OracleNeeds:
        """What ``truth`` reads: the answer's layers, unless a subclass says otherwise."""
        return OracleNeeds()

    def check_model(self, model: PreTrainedModel) -> None:
        """Raises ValueError for a model that the oracle cannot measure; weights are not needed."""
        if self.needs.passes:
            check_passes(model)

    def check_prompt(self, tokens: int, context: range | None) -> None:  # noqa: B027
        """Raises ValueError for a prompt that the oracle cannot measure.

        Args:
            tokens: of the prompt.
            context: places of the text that the question is about; None: the prompt has no such part.
        """

    @abstractmethod
    def truth(self, answered: AnsweredPrompt) -> Truth:
        """The importance of each prompt token to the answer: one row for all layers, or one row per attention layer.

        Args:
            answered: do not modify its tensors, and leave the model as it is.
        """
