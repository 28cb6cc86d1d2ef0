"""Speculative prefill: a token matters if the first tokens of a cheap draft answer look back at it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

from torch import Tensor
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.reading import read
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.heuristics.look_back import look_back
from tokenrank.heuristics.smoothing import check_kernel, smooth
from tokenrank.models.pretrained import Pretrained


@dataclass(frozen=True)
class Speculative(Heuristic):
    """Attention of the queries of ``look_ahead`` answer tokens, maximum over layers and heads, mean over queries, smoothed.

    The answer is the draft model's, or the model's own where ``draft`` is null, whatever the task's limit is. One that ends
    earlier gives as many queries as it has (its last token is never fed). No layers of its own: one row, for all.

    Source: Liu et al. 2025, https://arxiv.org/abs/2502.02789.
    """

    draft: str | None = None  # hub id, local folder or GGUF file of another model; null: the model itself
    look_ahead: int = 8  # answer tokens, K
    kernel: int = 13  # tokens, odd
    last_query: bool = True  # the query of the last prompt token counts too
    dtype: str = "float32"  # of the draft model
    device: str = "auto"  # of the draft model

    needs_answer: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_kernel(self.kernel)
        if self.look_ahead < 1:
            raise ValueError(f"look_ahead is {self.look_ahead}, must be at least 1 token")

    def check(self, tokenizer: Tokenizer, answer: str) -> None:
        """Raises ValueError for a draft with another tokenizer, or for no draft where no answer is generated."""
        if self.draft is None and answer != "generated":
            raise ValueError(
                f"draft is null, which needs oracle.answer=generated, not {answer}: set draft, or leave it out"
            )
        if self.draft is not None and self._source.tokenizer().get_vocab() != tokenizer.get_vocab():
            raise ValueError(
                f"draft is {self.draft!r}, whose tokenizer is not the model's: its tokens would be other ones"
            )

    def attach(self, model: PreTrainedModel) -> None:  # noqa: ARG002
        """Loads the draft, so that no prompt waits for it; raises ValueError if it cannot be loaded."""
        if self.draft is not None:
            _ = self._model

    def score(self, layer: AttentionLayer) -> Tensor:
        """Always an error: no single layer of the prompt knows the answer."""
        raise ValueError(f"speculative scores at layer {layer.index} are known only after the draft's answer")

    def from_answer(self, layers: Sequence[AttentionLayer], oracle: Tensor) -> Tensor:  # noqa: ARG002
        """(tokens,), each in [0, 1], on the CPU."""
        return self._looked_back(layers if self.draft is None else self._ahead(self._model, layers[0].input_ids))

    def draft_scores(self, model: PreTrainedModel, input_ids: Tensor) -> Tensor:
        """(tokens,), each in [0, 1], on the CPU; where ``draft`` is null the model itself reads the prompt for it."""
        return self._looked_back(self._ahead(model if self.draft is None else self._model, input_ids))

    def _looked_back(self, layers: Sequence[AttentionLayer]) -> Tensor:
        first = 0 if self.last_query else 1
        ahead = [
            replace(
                layer,
                queries=layer.queries[:, first : self.look_ahead + 1],
                first_position=layer.first_position + first,
            )
            for layer in layers
        ]
        return smooth(look_back(ahead), self.kernel)[0]

    @cached_property
    def _source(self) -> Pretrained:
        return Pretrained(path=self.draft or "", dtype=self.dtype, device=self.device)

    @cached_property
    def _model(self) -> PreTrainedModel:
        return self._source.model()

    def _ahead(self, model: PreTrainedModel, input_ids: Tensor) -> list[AttentionLayer]:
        """What an answer of ``look_ahead`` tokens showed; one token more than counts, as the last one is never fed."""
        return read(model, input_ids, lambda _: None, max_new_tokens=self.look_ahead + 1).answer_layers
