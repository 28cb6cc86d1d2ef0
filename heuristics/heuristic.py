"""The base class of heuristics: one score per prompt token and layer, higher = keep."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.capture.needs import Needs


class Heuristic(ABC):
    """Ranks the prompt's tokens at each layer. Subclasses are frozen dataclasses, whose fields are their config.

    Most heuristics implement ``score`` alone. One that ranks only after an answer (``needs.answer``) implements
    ``from_answer`` and ``draft_scores`` instead, and its ``score`` raises ValueError.
    """

    @property
    def needs(self) -> Needs:
        """What the method reads of a forward pass beyond queries and keys; by default nothing."""
        return Needs()

    @property
    def ranks_before(self) -> bool:
        """Whether ``draft_scores`` ranks before the model has read the prompt; by default if the method ranks after an answer."""
        return self.needs.answer

    @abstractmethod
    def score(self, layer: AttentionLayer) -> Tensor:
        """Scores of one layer, computed from that layer alone.

        Args:
            layer: queries (heads, tokens, dim) and keys (kv_heads, tokens, dim) of the whole prompt. Its tensors are
                shared with other heuristics: do not modify them.

        Returns:
            (tokens,) finite float32, higher = keep. The tokens of ``always_kept`` get the maximum of the row.
        """

    def score_heads(self, layer: AttentionLayer) -> Tensor:
        """Scores of one layer for each key head; pruned prefill compresses that layer's cache by them.

        By default every key head has the scores of ``score``.

        Returns:
            (kv_heads, tokens) finite float32, higher = keep.
        """
        return self.score(layer).expand(layer.kv_heads, -1)

    def always_kept(self, tokens: int) -> Sequence[int]:  # noqa: ARG002
        """Numbers of the tokens that the method always keeps of a prompt of so many; by default none.

        ``score``, ``score_heads`` and ``combine`` give each of them the maximum of its row.
        """
        return ()

    def from_answer(self, layers: Sequence[AttentionLayer]) -> Tensor:  # noqa: ARG002
        """Scores of a method that ranks after an answer (``needs.answer``); the same for all layers.

        Args:
            layers: in order, each with the prompt's keys and the queries that predicted the answer's tokens, (heads,
                answer tokens, dim); the first query is that of the last prompt token. With ``needs.look_ahead`` there
                are at least so many queries after it, even beyond the answer's limit, unless the answer ends earlier.

        Returns:
            (tokens,) finite float32, higher = keep.

        Raises:
            ValueError: the method ranks layer by layer.
        """
        raise ValueError(f"{type(self).__name__} ranks layer by layer, not from an answer")

    def draft_scores(self, model: PreTrainedModel, input_ids: Tensor) -> Tensor:  # noqa: ARG002
        """Scores that are known before the model has processed the prompt (``ranks_before``), such as those of a draft answer.

        Args:
            model: the model whose prefill is pruned; a method with a draft model of its own ignores it.
            input_ids: (tokens,) the prompt.

        Returns:
            (tokens,) finite float32, higher = keep.

        Raises:
            ValueError: the method ranks what the model has read.
        """
        raise ValueError(f"{type(self).__name__} ranks what the model has read, so it cannot rank before")

    def check(self, tokenizer: Tokenizer, answer: str) -> None:  # noqa: B027 - most methods accept all
        """Raises ValueError if the method cannot rank prompts of this tokenizer, or with this kind of answer.

        Args:
            tokenizer: the model's.
            answer: where the answer comes from, ``generated`` or ``reference``.
        """

    def check_layers(self, layers: ModelLayers) -> None:  # noqa: B027 - most methods accept all
        """Raises ValueError if the settings ask for attention layers that the model lacks."""

    def least_tokens(self) -> int:
        """Number of tokens that a prompt must have at least: by default one more than the window of queries."""
        return self.needs.window + 1

    def identity(self) -> Mapping[str, Any]:
        """Facts beside the settings that decide its scores, such as the digests of a draft model's weights; ready for JSON."""
        return {}

    def attach(self, model: PreTrainedModel) -> None:  # noqa: B027 - most methods have nothing to set up
        """Sets the method up for a model, once, before the first prompt.

        Raises:
            ValueError: it cannot rank prompts of this model.
        """

    def expect(self, tokens: int) -> None:  # noqa: B027 - most methods have no other model
        """Looks at the other model that the method reads prompts with, if it has one, once, after ``attach``.

        Args:
            tokens: of the longest prompt.

        Raises:
            ValueError: that model cannot be captured exactly.
        """

    def layers_combined(self) -> int | None:
        """Number of consecutive layers that one row of ``combine`` depends on, its own included; None: all earlier ones.

        Pruned prefill scores no more layers than these.
        """
        return 1

    def combine(self, rows: Tensor) -> Tensor:
        """Combines the scores of several layers; by default each layer keeps its own.

        Row l of the result may depend on rows 0 to l only, because in a pruned prefill later layers do not exist yet.

        Args:
            rows: (layers so far, tokens), the scores of all layers so far, in order.

        Returns:
            (layers so far, tokens) float32.
        """
        return rows


def check_tokens(heuristics: Mapping[str, Heuristic], tokens: int, whose: str) -> None:
    """Checks that a prompt is long enough for every heuristic.

    Args:
        heuristics: by the names of their configs.
        tokens: that are ranked.
        whose: what has so many tokens, for the message.

    Raises:
        ValueError: a heuristic needs more.
    """
    for name, each in heuristics.items():
        if tokens < each.least_tokens():
            given = {size: getattr(each, size, None) for size in ("window", "kernel")}
            sizes = {size: value for size, value in given.items() if value is not None}
            because = f" ({', '.join(f'{size}={value}' for size, value in sizes.items())})" if sizes else ""
            lower = f"set heuristic.{name}.{max(sizes, key=lambda size: sizes[size])} lower, or " if sizes else ""
            raise ValueError(
                f"heuristic.{name} needs prompts of at least {each.least_tokens()} tokens{because}, and {whose} has {tokens}: "
                f"{lower}leave the heuristic or the prompt out"
            )
