"""An answer fed again and again on the cache of its prompt, each time with other tokens of the prompt hidden from it."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.cache_utils import Cache

from tokenrank.capture.answer_rows import AnswerRows, PromptLayer
from tokenrank.capture.attention import FUSED, OwnFunction
from tokenrank.capture.cache import can_go_back, reserved_cache
from tokenrank.capture.feeding import check_one_prompt, check_positions, input_device, last_of_rows
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.rope_lengths import in_passes
from tokenrank.capture.rules import AttentionRules

ROWS = 512  # rows of one forward pass, at most, if it is not a single pass over the answer
LOGITS_BYTES = 2**27  # of the float32 logits of one forward pass, at most, likewise

Attended = Callable[[Tensor, Tensor, Tensor, AttentionRules, Tensor], Tensor]  # see AnswerPasses.attended


class AnswerPasses:
    """An answer fed on its prompt's cache again and again, each time with other tokens of the prompt hidden from the answer's queries.

    A token is hidden in every layer: no query of the answer sees its key. The prompt itself was read whole. The answer's queries are
    the last token of the prompt, which is fed again, and the answer without its last token: ``rows`` of them, each of which predicts
    a token of the answer. They always see their own keys and those of the rows before them.

    Many passes are one forward pass of the model: a sequence in which the answer's positions are repeated for each, and a mask by
    which rows see the prompt's keys that are visible to their pass, and the rows of their own pass alone. What is held at a time is
    bounded by ROWS and LOGITS_BYTES, or by one pass over the answer where that is more.
    """

    def __init__(self, model: PreTrainedModel, input_ids: Tensor, answer_ids: Tensor, cache: Cache) -> None:
        """Nothing runs yet; the cache is read and never changed.

        Args:
            model: a decoder of transformers.
            input_ids: (tokens,) int64, the prompt.
            answer_ids: (T,) int64, at least one.
            cache: holds the prompt, and may hold tokens after it.

        Raises:
            ValueError: no prompt or no answer, the model accepts no positions, or it has layers with a state of all tokens together.
        """
        check_passes(model)
        check_one_prompt(input_ids)
        if answer_ids.dim() != 1 or len(answer_ids) == 0:
            raise ValueError(
                f"answer_ids has the shape {tuple(answer_ids.shape)}, must be (T,) with at least one token"
            )
        device = input_device(model)
        self.model, self.tokens = model, len(input_ids)
        self.answer_ids = answer_ids.to(device)
        self._ids = torch.cat([input_ids[-1:].to(device), self.answer_ids[:-1]])
        self._held = list(cache.layers)

    @property
    def rows(self) -> int:
        """T, the tokens of the answer and the queries that predict them."""
        return len(self._ids)

    def logits(self, visible: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Logits of the answer's tokens in each pass.

        Args:
            visible: (passes, tokens) bool, which of the prompt's keys the answer's queries see. That of the last token is always
                visible.

        Yields:
            Each pass once: its number and (T, vocabulary) logits that predict the answer's tokens; use them before the next.

        Raises:
            ValueError: ``visible`` has another shape or type.
        """
        if visible.dim() != 2 or visible.shape[1] != self.tokens or visible.dtype != torch.bool:
            raise ValueError(
                f"visible is {visible.dtype} of shape {tuple(visible.shape)}, must be torch.bool of shape (passes, {self.tokens})"
            )
        vocabulary: int = self.model.config.get_text_config(decoder=True).vocab_size
        size = max(1, min(ROWS, LOGITS_BYTES // (vocabulary * 4)) // self.rows)
        for first in range(0, len(visible), size):
            some = visible[first : first + size]
            yield from enumerate(self._masked(some), start=first)

    def logprobs(self, visible: Tensor) -> Tensor:
        """(passes, T) float32 on the CPU: log-probability of each token of the answer, from float32 logits; ``visible`` as above."""
        found = torch.empty(len(visible), self.rows)
        for number, logits in self.logits(visible):
            found[number] = chosen_logprobs(logits, self.answer_ids).cpu()
        return found

    def attended(self, attend: Attended) -> Tensor:
        """One pass that sees the whole prompt, whose attention is computed by ``attend``; gradients are recorded where they are enabled.

        Args:
            attend: called at each attention layer, in order, with query (1, heads, rows, dim), key and value (1, kv_heads, keys, dim),
                the rules of the call, and which keys each row sees, (rows, keys) bool. Keys are the prompt's, its last token being
                the first row, then the rows'. Returns (1, rows, heads, value dim).

        Returns:
            (T, vocabulary) logits that predict the answer's tokens.
        """
        rows = self._answer_rows(torch.ones(1, self.tokens, dtype=torch.bool))

        def attended(
            _own: OwnFunction, _module: nn.Module, query: Tensor, key: Tensor, value: Tensor, rules: AttentionRules
        ) -> Tensor:
            seen = rows.seen(rules.sliding_window, query.device)
            return attend(query, key, value, rules, seen)

        return self._fed(rows, 1, attend=attended)[0]

    @torch.inference_mode()
    def _masked(self, visible: Tensor) -> Tensor:
        """(passes, T, vocabulary)."""
        rows = self._answer_rows(visible)

        def mask_by(_module: nn.Module, query: Tensor, _key: Tensor, rules: AttentionRules) -> Tensor | None:
            return rows.mask(query, rules.sliding_window)

        return self._fed(rows, len(visible), mask_by=mask_by)

    def _answer_rows(self, visible: Tensor) -> AnswerRows:
        layers = [PromptLayer(held, self.tokens - 1) for held in self._held]
        fused = self.model.config._attn_implementation == FUSED
        return AnswerRows(layers, visible[:, :-1].to(self._ids.device), fused=fused)

    def _fed(self, rows: AnswerRows, passes: int, **watchers: object) -> Tensor:
        """(passes, T, vocabulary), in one forward pass, or several where rotary frequencies depend on the length."""
        numbers = torch.arange(passes, device=self._ids.device)
        parts = []
        for ids, start in in_passes(self.model, self._ids, self.tokens - 1):
            positions = torch.arange(start, start + len(ids), device=ids.device).repeat(passes)
            rows.add(numbers.repeat_interleave(len(ids)), positions)
            fed = ids.repeat(passes)[None]
            logits = last_of_rows(self.model, fed, positions[None], rows.cache, fed.shape[1], **watchers)[0]
            parts.append(logits.view(passes, len(ids), -1))
        return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]


def check_passes(model: PreTrainedModel) -> None:
    """Raises ValueError for a model whose prompt's tokens cannot be hidden from an answer; weights are not needed."""
    model_layers(model)
    check_positions(model)
    if not can_go_back(reserved_cache(model.config, capacity=1)):
        raise ValueError(
            f"{type(model).__name__} has layers with a state of all tokens together, so single tokens of a prompt cannot be hidden from "
            "its answer"
        )


def chosen_logprobs(logits: Tensor, ids: Tensor) -> Tensor:
    """Log-probability of each token, by a float32 log-softmax.

    Args:
        logits: (T, vocabulary) of any float type.
        ids: (T,) int64.

    Returns:
        (T,) float32.

    >>> chosen_logprobs(torch.tensor([[0.0, 1.0986]]), torch.tensor([0])).exp()
    tensor([0.2500])
    """
    logits = logits.float()
    return logits.gather(1, ids[:, None].to(logits.device))[:, 0] - logits.logsumexp(dim=1)
