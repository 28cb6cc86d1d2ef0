"""Queries and keys of one attention layer: all that a heuristic or the oracle reads of a model."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class AttentionCall:
    """The call of the model's own attention module that a layer was captured in: for methods written against modules."""

    module: nn.Module
    hidden_states: Tensor  # (1, tokens, hidden)
    values: Tensor  # (1, kv_heads, tokens, dim)
    arguments: dict[str, Any]  # all else that the module was called with, by name


@dataclass(frozen=True)
class AttentionLayer:
    """Queries and prompt keys of one layer, after RoPE and any query/key norm, with the model's own attention rules.

    Scale, soft-cap, sliding window and sinks are applied here, in one place, so no heuristic has to know a model's rules.
    Everything computed here is float32 and on the layer's device. In a pruned prefill "the prompt" is, in every field, what is
    left of it at this layer.
    """

    index: int  # of the layer in the model
    queries: Tensor  # (heads, queries, dim), of consecutive tokens of the prompt or of the answer after it
    keys: Tensor  # (kv_heads, tokens, dim), of the prompt's tokens
    scale: float  # the model's own; q.k is multiplied by it
    input_ids: Tensor  # (tokens,) the prompt
    first_position: int = 0  # the token number of the first query; the prompt's first token is 0
    softcap: float | None = None  # logits become softcap * tanh(logits / softcap)
    sliding_window: int | None = None  # a query sees the last this many positions, itself included
    sinks: Tensor | None = None  # (heads,) logits that take part in the softmax and belong to no token
    values: Tensor | None = None  # (kv_heads, tokens, value dim) of the prompt, where ``Needs.values`` asks for them
    positions: Tensor | None = None  # (tokens,) int64, ascending, where some were dropped; None: 0, 1, 2, ...
    call: AttentionCall | None = None  # where ``Needs.call`` asks for it
    shared_rows: int = 0  # attention of up to this many of the last queries is computed once and shared

    @property
    def tokens(self) -> int:
        """Number of prompt tokens."""
        return self.keys.shape[1]

    @property
    def kv_heads(self) -> int:
        """Number of key heads; query heads are a multiple of it and come in consecutive groups, one a key head."""
        return self.keys.shape[0]

    def dots(self, rows: int) -> Tensor:
        """Raw products q.k of the last ``rows`` queries with every prompt key: no scale, no mask, no softmax.

        Args:
            rows: 1 <= rows <= number of queries.

        Returns:
            (heads, rows, tokens)

        Raises:
            ValueError: ``rows`` is out of range.
        """
        available = self.queries.shape[1]
        if not 1 <= rows <= available:
            raise ValueError(f"rows is {rows}, must be from 1 to the {available} queries of layer {self.index}")
        return self._dots(self.queries[:, available - rows :])

    def attention(self, rows: int) -> Tensor:
        """Attention of the last ``rows`` queries: the softmax over the prompt keys that each of them may see.

        Up to ``shared_rows`` rows the result is a view of one that is computed once: do not write into it.

        Args:
            rows: 1 <= rows <= number of queries.

        Returns:
            (heads, rows, tokens) in [0, 1]. Tokens out of reach (later, or beyond a sliding window) get exactly 0.

        Raises:
            ValueError: ``rows`` is out of range.
        """
        if 1 <= rows <= self.shared_rows:
            return self._shared_attention[:, self.shared_rows - rows :]
        return self._softmax(self.dots(rows), self.queries.shape[1] - rows)

    def attention_block(self, start: int, stop: int, *, trim: bool = False) -> Tensor:
        """Attention of the queries ``start`` to ``stop`` (exclusive); not shared.

        Args:
            start: number of the first query.
            stop: one past the last.
            trim: leave out the tokens that come after all of these queries (their attention is 0).

        Returns:
            (heads, stop - start, tokens), or fewer tokens with ``trim``.
        """
        if trim and self.first_position + stop < self.tokens:
            seen = self.first_position + stop
            positions = None if self.positions is None else self.positions[:seen]
            return replace(self, keys=self.keys[:, :seen], positions=positions, shared_rows=0).attention_block(
                start, stop
            )
        return self._softmax(self._dots(self.queries[:, start:stop]), start)

    @cached_property
    def _shared_attention(self) -> Tensor:
        return self._softmax(self.dots(self.shared_rows), self.queries.shape[1] - self.shared_rows)

    def _dots(self, queries: Tensor) -> Tensor:
        heads, rows, dim = queries.shape
        grouped = queries.float().reshape(self.kv_heads, heads // self.kv_heads * rows, dim)
        return torch.bmm(grouped, self.keys.float().transpose(1, 2)).view(heads, rows, self.tokens)

    def _softmax(self, dots: Tensor, start: int) -> Tensor:
        """Attention from raw products of the queries from number ``start`` on; overwrites ``dots``."""
        logits = dots.mul_(self.scale)
        if self.softcap is not None:
            logits.div_(self.softcap).tanh_().mul_(self.softcap)
        hidden = self._hidden(start, dots.shape[1])
        if hidden is not None:
            logits.masked_fill_(hidden, -torch.inf)
        if self.sinks is None:
            attention = torch.softmax(logits, dim=-1)
            return attention if hidden is None else attention.masked_fill_(hidden, 0)  # a row may see nothing at all
        sinks = self.sinks.float()[:, None, None].expand(-1, logits.shape[1], 1)
        return torch.softmax(torch.cat([logits, sinks], dim=-1), dim=-1)[..., :-1]

    def _hidden(self, start: int, rows: int) -> Tensor | None:
        """(rows, tokens), true where a token is out of reach of its query; None where all are within reach."""
        window, first = self.sliding_window, self.first_position + start
        if self.positions is None:
            if first >= self.tokens - 1 and (window is None or first + rows <= window):
                return None
            queries = torch.arange(first, first + rows, device=self.keys.device)[:, None]
            tokens = torch.arange(self.tokens, device=self.keys.device)
        else:
            tokens = self.positions.to(self.keys.device)
            queries = tokens[first : first + rows, None]  # of the prompt's own tokens
        hidden = tokens > queries
        return hidden if window is None else hidden | (tokens <= queries - window)
