"""What every heuristic is: one score per prompt token and layer."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.needs import Needs


class Heuristic(ABC):
    """Ranks the prompt's tokens at each layer; its fields are its config.

    A subclass that reads the attention of the prompt's last queries says how many in a field named ``window``:
    prompts that are not longer than that are refused before a run, and all heuristics share one computation.
    """

    window: int = 0  # queries at the end of the prompt whose attention is read
    look_ahead: int = 0  # tokens of the model's own answer that are read at least, even beyond the answer's limit
    needs_call: ClassVar[bool] = False  # true: reads ``layer.call``, the call of the model's own module
    needs_answer: ClassVar[bool] = False  # true: ranks by ``from_answer``, not layer by layer; one row for all layers

    @property
    def needs(self) -> Needs:
        """What the method reads of a forward pass."""
        return Needs(window=self.window, call=self.needs_call, answer=self.needs_answer, look_ahead=self.look_ahead)

    @abstractmethod
    def score(self, layer: AttentionLayer) -> Tensor:
        """Scores of one layer, from that layer alone.

        Args:
            layer: queries (heads, tokens, dim) and keys (kv_heads, tokens, dim) of the whole prompt. Do not write
                into anything it returns.

        Returns:
            (tokens,) finite float32, higher = keep. Tokens that the method always keeps get the row's maximum.
        """

    def score_heads(self, layer: AttentionLayer) -> Tensor:
        """Scores of one layer for each key head, by which that layer's cache is compressed in a pruned prefill.

        Methods that know only tokens give every head the same.

        Returns:
            (kv_heads, tokens) finite float32, higher = keep.
        """
        return self.score(layer).expand(layer.kv_heads, -1)

    def draft_scores(self, model: PreTrainedModel, input_ids: Tensor) -> Tensor:  # noqa: ARG002
        """Scores of a method that ranks before the model has read the prompt, (tokens,) finite float32: by a draft.

        Raises:
            ValueError: the method needs the model's own reading.
        """
        raise ValueError(f"{type(self).__name__} ranks what the model has read, so it cannot rank before")

    def from_answer(self, layers: Sequence[AttentionLayer], oracle: Tensor) -> Tensor:
        """Scores of a method that ranks only after an answer (``needs_answer``); ``score`` is then not called.

        Args:
            layers: in order, each with the queries that predicted the answer's tokens, (heads, answer tokens, dim), the
                first of them that of the last prompt token, and the prompt's keys. Beyond the answer's limit there are
                as many as ``look_ahead`` asks for.
            oracle: (tokens,) or (layers, tokens), the truth; for the control of that name alone.

        Returns:
            (tokens,) finite float32, the same for all layers, or (layers, tokens).
        """
        raise NotImplementedError(f"{type(self).__name__} ranks layer by layer")

    def check(self, tokenizer: Tokenizer, answer: str) -> None:  # noqa: B027 - most methods can
        """Raises ValueError if the method cannot rank prompts of this tokenizer, or with this kind of answer.

        Args:
            tokenizer: the model's.
            answer: where the answer comes from, ``generated`` or ``reference``.
        """

    def attach(self, model: PreTrainedModel) -> None:  # noqa: B027 - most methods have nothing to set up
        """Sets the method up for a model, once, before the first prompt.

        Raises:
            ValueError: it cannot rank prompts of this model.
        """

    def layers_combined(self) -> int | None:
        """How many layers a row of ``combine`` reads, its own and those before it; None: all there are. A pruned prefill scores no more."""
        return 1

    def combine(self, rows: Tensor) -> Tensor:
        """What the method makes of several layers' scores; by default each layer stands alone.

        Row l of the result may depend on rows 0 to l only: in a pruned prefill later layers do not exist yet.

        Args:
            rows: (layers so far, tokens), the scores of all layers seen so far, in order.

        Returns:
            (layers so far, tokens), float32.
        """
        return rows


def check_window(window: int) -> None:
    """Raises ValueError unless ``window`` is at least 1."""
    if window < 1:
        raise ValueError(f"window is {window}, must be at least 1 query")


def check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raises ValueError unless ``value`` is one of ``allowed``."""
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}, must be one of {', '.join(allowed)}")
