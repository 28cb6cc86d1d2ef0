"""How a greedy answer is decoded: as ``generate(do_sample=False)`` does, the logits processors of the generation config included."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor
from transformers import LogitsProcessorList, PreTrainedModel

from tokenrank.capture.feeding import end_tokens, input_device

NO_TOKEN = float("-inf")
OTHER_RULES = (
    "num_beams", "num_beam_groups", "constraints", "force_words_ids", "penalty_alpha", "dola_layers", "stop_strings",
    "max_time", "token_healing",
)  # fmt: skip


@dataclass(frozen=True)
class Decoding:
    """The rules of greedy decoding. With no processor a step costs one maximum over the vocabulary."""

    ends: frozenset[int]  # tokens that end the answer
    not_first: frozenset[int] = frozenset()  # tokens that the answer may not begin with
    processed: bool = field(default=False)  # whether the model's generation config has logits processors

    @classmethod
    def of(cls, model: PreTrainedModel, *, ends: Iterable[int] = (), not_first: Iterable[int] = ()) -> Self:
        """The decoding of a model.

        Args:
            model: its generation config says which tokens end an answer, and which processors change its logits.
            ends: further tokens that end the answer.
            not_first: tokens that the answer may not begin with.

        Raises:
            ValueError: the generation config holds a value that transformers refuses, or asks for other than greedy decoding.
        """
        refuse_other_rules(model)
        own = cls(frozenset(end_tokens(model)) | frozenset(ends), frozenset(not_first), processed=True)
        return cls(own.ends, own.not_first, bool(own.processors(model, torch.zeros(1, dtype=torch.long), limit=1)))

    def processors(self, model: PreTrainedModel, prompt: Tensor, limit: int) -> LogitsProcessorList:
        """The logits processors that ``generate(do_sample=False, max_new_tokens=limit)`` would use for this prompt.

        They are transformers' own, made by the model; ``max_length`` and ``max_new_tokens`` of its generation config do not count.

        Args:
            model: a decoder of transformers.
            prompt: (tokens,) int64, the whole prompt.
            limit: tokens of the answer at most.

        Raises:
            ValueError: the generation config holds a value that transformers refuses.
        """
        if not self.processed or getattr(model, "generation_config", None) is None:
            return LogitsProcessorList()
        maker: Any = model
        try:
            ends = sorted(self.ends) or None
            config, _ = maker._prepare_generation_config(None, do_sample=False, eos_token_id=ends, max_new_tokens=limit)
            config.max_length = len(prompt) + limit
            if config.min_new_tokens is not None:
                config.min_length = config.min_new_tokens + len(prompt)
            maker._prepare_special_tokens(config, device=prompt.device)
            made: LogitsProcessorList = maker._get_logits_processor(
                config, input_ids_seq_length=len(prompt), encoder_input_ids=prompt[None], device=prompt.device
            )
        except Exception as error:  # transformers checks the settings in many ways
            raise ValueError(
                f"the model's generation_config cannot be applied: {' '.join(str(error).split())}"
            ) from error
        return made

    def begin(self, model: PreTrainedModel, prompt: Tensor, limit: int) -> "AnswerSoFar":
        """An answer without tokens yet.

        Args:
            model: a decoder of transformers.
            prompt: (tokens,) int64, the whole prompt, also where only some of its tokens are read.
            limit: tokens of the answer at most, at least 1.
        """
        context = prompt.to(input_device(model)) if self.processed else prompt
        return AnswerSoFar(self, self.processors(model, context, limit), context)


def refuse_other_rules(model: PreTrainedModel) -> None:
    """Raises ValueError for a generation config with which ``generate(do_sample=False)`` is not greedy, or ends by other rules."""
    config: Any = getattr(model, "generation_config", None)
    for name in OTHER_RULES:
        value = getattr(config, name, None)
        if value and not (value == 1 and name in ("num_beams", "num_beam_groups")):
            raise ValueError(
                f"the model's generation_config has {name} {value!r}, must be null: answers are decoded greedily"
            )
    if getattr(config, "cache_implementation", None) == "quantized":
        raise ValueError(
            "the model's generation_config has cache_implementation 'quantized', must be null: keys and values are not rounded here"
        )


class AnswerSoFar:
    """A greedy answer, one token a step."""

    def __init__(self, decoding: Decoding, processors: LogitsProcessorList, prompt: Tensor) -> None:
        self.decoding, self.processors = decoding, processors
        self.tokens: list[int] = []
        self._context = prompt[
            None
        ]  # (1, tokens); the answer's tokens are put behind it only if a processor reads them

    @property
    def ended(self) -> bool:
        """Whether the last token ends the answer."""
        return bool(self.tokens) and self.tokens[-1] in self.decoding.ends

    def add(self, logits: Tensor) -> int:
        """The next token, of equal logits the first; it becomes part of the answer.

        Args:
            logits: (vocabulary,) as the model gave them.

        Raises:
            ValueError: a logit is NaN or plus infinity, all are minus infinity, or the rules forbid every token.
        """
        scores = self._allowed(logits)
        token, largest, chosen = _largest(logits, scores)
        where = f"answer token {len(self.tokens)}"
        refuse_not_finite(largest, where, logits.dtype)
        if scores is not logits and not chosen > NO_TOKEN:
            raise ValueError(f"{where}: the rules of decoding leave no token, the largest score is {chosen}")
        self.tokens.append(token)
        return token

    def _allowed(self, logits: Tensor) -> Tensor:
        """The logits after the processors, as float32, with minus infinity at what may not come first; unchanged without rules."""
        if self.processors:
            if self.tokens:
                new = torch.tensor([self.tokens[-1:]], device=self._context.device)
                self._context = torch.cat((self._context, new), dim=1)
            copied = logits.to(self._context.device, torch.float32, copy=True)[None]
            logits = self.processors(self._context, copied)[0]  # type: ignore[arg-type]
        if self.decoding.not_first and not self.tokens:
            logits = logits.index_fill(0, torch.tensor(sorted(self.decoding.not_first), device=logits.device), NO_TOKEN)
        return logits


def _largest(logits: Tensor, scores: Tensor) -> tuple[int, float, float]:
    """Place of the largest score, the largest logit and the largest score, in one transfer; a NaN is the largest of all."""
    chosen, place = scores.max(dim=0)
    raw = chosen if scores is logits else logits.max().to(chosen.device)
    token, largest, best = torch.stack(
        (place.float(), raw.float(), chosen.float())
    ).tolist()  # exact below 2**24 tokens
    return int(token), largest, best


def check_finite_logits(logits: Tensor, where: str) -> None:
    """Raises ValueError if a logit is NaN or plus infinity, or all are minus infinity.

    Args:
        logits: (vocabulary,).
        where: for the message.
    """
    refuse_not_finite(float(logits.max()), where, logits.dtype)


def refuse_not_finite(largest: float, where: str, dtype: torch.dtype) -> None:
    """Raises ValueError unless the largest logit is finite; a NaN among them makes it NaN."""
    if abs(largest) < float("inf"):
        return
    found = "NaN" if largest != largest else "infinite"
    hint = ": float16 overflows above 65,504, set model.dtype to bfloat16 or float32" if dtype == torch.float16 else ""
    raise ValueError(f"{where}: the model's logits are {found}, must be finite{hint}")


def greedy(
    feed: Callable[[Tensor, int], Tensor], answer: AnswerSoFar, logits: Tensor, start: int, limit: int
) -> list[int]:
    """A greedy answer, decoded token by token.

    Args:
        feed: (ids, position of the first) -> (vocabulary,) logits of the next token.
        answer: without tokens yet.
        logits: (vocabulary,) of the first token.
        start: its position.
        limit: tokens of the answer at most, at least 1.

    Returns:
        The answer's tokens, the one that ended it included; the last token is never fed.

    Raises:
        ValueError: as ``AnswerSoFar.add``.
    """
    answer.add(logits)
    while len(answer.tokens) < limit and not answer.ended:
        fed = torch.tensor(answer.tokens[-1:])
        answer.add(feed(fed, start + len(answer.tokens) - 1))
    return answer.tokens
