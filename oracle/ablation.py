"""Leave one chunk out: how much less likely is the answer without each chunk of the prompt?"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tokenrank.capture.feeding import check_positions
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.select_layer import resolve_select_layer
from tokenrank.oracle.oracle import AnsweredPrompt, Oracle, OracleNeeds, Truth
from tokenrank.oracle.without_chunks import logprobs_after_pruning, logprobs_after_removal
from tokenrank.signals.checks import check_choice
from tokenrank.tasks.chunks import SENTENCE, check_chunk, check_chunk_fits, chunked, spread, visible_without

HIDDEN, PRUNED, REMOVAL = "hidden", "pruned", "removal"


@dataclass(frozen=True)
class AblationOracle(Oracle):
    """Importance of a chunk: the log-probability that the answer's tokens lose without it, each within ``clip``; spread over its tokens.

        importance(c) = sum over t of clip(log p(y_t | all) - log p(y_t | without c), -clip, clip)        in nats, signed

    ``by`` says what "without" is:

    - ``hidden``: the answer's queries do not see the chunk's keys, in every layer. The prompt was read once, whole: what other tokens
      have taken over from the chunk stays visible. Cost: T / chunk of a prefill in rows.
    - ``pruned``: the layers after ``select_layer`` process and cache the prompt without the chunk, as in a pruned prefill.
      Cost: about half a prefill a chunk.
    - ``removal``: the prompt is read without the chunk; the other tokens keep their positions. Cost: a prefill a chunk.

    The prompt's last token is never taken away, as the first token of the answer is predicted there. Chunks of the frame are measured
    as those of the context; the first chunk (attention sink) and the last often have the largest values.

    Source: leave-one-out attribution as in Cohen-Wang et al. 2024, https://arxiv.org/abs/2409.00729; hiding keys from the answer
    alone is ours. Departures: log-probability in place of log-odds, and the clip, without which one token can decide the sum.
    """

    chunk: int | str = 64  # tokens, or sentence
    by: str = HIDDEN  # hidden, pruned or removal
    clip: float = 5.0  # nats: what a single token of the answer loses counts as at most this, and at least minus this
    select_layer: int | None = None  # for pruned: the last layer that sees the chunk; null: half the layers, less one

    signed: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_chunk(self.chunk)
        check_choice("by", self.by, (HIDDEN, PRUNED, REMOVAL))
        if not self.clip > 0:
            raise ValueError(f"clip is {self.clip}, must be above 0 nats")
        if self.select_layer is not None and self.by != PRUNED:
            raise ValueError(f"select_layer is {self.select_layer}, must be null unless by={PRUNED}")

    @property
    def needs(self) -> OracleNeeds:
        """Passes over the answer where keys are hidden from it; other ablations read the prompt themselves."""
        return OracleNeeds(layers=False, passes=self.by == HIDDEN, texts=self.chunk == SENTENCE)

    def check_model(self, model: PreTrainedModel) -> None:
        """Raises ValueError for a model whose keys cannot be hidden, one that accepts no positions, or without the select layer."""
        super().check_model(model)
        check_positions(model)
        if self.by == PRUNED:
            resolve_select_layer(model_layers(model), self.select_layer)

    def check_prompt(self, tokens: int, context: range | None) -> None:
        """Raises ValueError for a chunk longer than the prompt's context."""
        check_chunk_fits(self.chunk, tokens, context)

    def truth(self, answered: AnsweredPrompt) -> Truth:
        """Importance in nats, any sign, (1, tokens); the tokens of a chunk sum to what the answer loses without it.

        Raises:
            ValueError: a chunk longer than the prompt's context, or a model with a state of all tokens together for ``hidden``.
        """
        chunks = chunked(len(answered.input_ids), self.chunk, answered.context, answered.texts)
        logprobs = self._logprobs(answered, chunks)
        losses = (logprobs[:1] - logprobs[1:]).clamp(-self.clip, self.clip)  # (chunks, T)
        return Truth(spread(losses.sum(dim=1), chunks)[None])

    def _logprobs(self, answered: AnsweredPrompt, chunks: list[range]) -> Tensor:
        """(1 + chunks, T) float32: with all, then without each chunk."""
        if self.by == PRUNED:
            return logprobs_after_pruning(
                answered.model, answered.input_ids, answered.answer_ids, chunks, self.select_layer
            )
        if self.by == REMOVAL:
            return logprobs_after_removal(answered.model, answered.input_ids, answered.answer_ids, chunks)
        hidden = torch.eye(len(chunks) + 1, dtype=torch.bool)[:, 1:]
        return answered.needed_passes().logprobs(visible_without(chunks, hidden))
