"""The rows of an answer that is fed on a prompt's cache several times in one forward pass: what they hold and which keys they see."""

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from tokenrank.capture.position_masks import as_mask, visible


class PromptLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """A layer of a cache that holds the first tokens of a prompt, which it never changes, and the rows that were fed after them."""

    def __init__(self, held: Any, tokens: int) -> None:
        """Of the first ``tokens`` of what a layer of the prompt's cache holds; nothing is copied."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._prompt: list[Tensor] = []  # keys and values; none where the layer has read nothing
        self._new: list[list[Tensor]] = [[], []]  # keys and values of the rows
        if getattr(held, "keys", None) is not None:
            self._prompt = [each[..., :tokens, :] for each in (held.keys, held.values)]

    def update(self, key_states: Tensor, value_states: Tensor, *_args: Any, **_kwargs: Any) -> tuple[Tensor, Tensor]:
        """Appends the new rows; returns a copy of everything held, (1, kv_heads, tokens, dim): only the rows stay in memory."""
        for new, states in zip(self._new, (key_states, value_states), strict=True):
            new.append(states)
        prompt = self._prompt or [key_states[..., :0, :], value_states[..., :0, :]]
        keys, values = (torch.cat([old, *new], dim=-2) for old, new in zip(prompt, self._new, strict=True))
        return keys, values

    def get_seq_length(self) -> int:
        """Tokens held."""
        return sum(each.shape[-2] for each in (*self._prompt[:1], *self._new[0]))


class AnswerRows:
    """Which keys each row sees: of the prompt those that are visible to its pass, of the rows those of its own pass up to itself."""

    def __init__(self, layers: list[PromptLayer], visible_keys: Tensor, *, fused: bool) -> None:
        """No row was fed yet.

        Args:
            layers: of the cache, each holding the prompt but its last token.
            visible_keys: (passes, tokens) bool, of the prompt's tokens but the last, on the model's device.
            fused: the masks are for the fused attention function, otherwise for the eager one.
        """
        self.cache = Cache(layers=list(layers))
        self._visible, self._fused = visible_keys, fused
        self._passes = torch.zeros(0, dtype=torch.int64, device=visible_keys.device)  # of each row that was fed
        self._positions = self._passes  # of each row that was fed
        self._new = 0  # rows of the forward pass under way
        self._seen: dict[tuple[int | None, torch.device], Tensor] = {}

    def add(self, passes: Tensor, positions: Tensor) -> None:
        """The next rows that are fed.

        Args:
            passes: (rows,) int64, the pass that each belongs to.
            positions: (rows,) int64.
        """
        self._passes, self._positions = (
            torch.cat([self._passes, passes]),
            torch.cat([self._positions, positions]),
        )
        self._new = len(passes)
        self._seen.clear()

    def seen(self, window: int | None, device: torch.device) -> Tensor:
        """(rows, keys) bool: which keys each of the new rows sees; keys are the prompt's, then those of all rows in the order of feeding.

        Args:
            window: the layer's sliding window in tokens; None: it has none.
            device: of the layer.
        """
        key = (window, device)
        if key not in self._seen:
            passes, positions = self._passes[-self._new :], self._positions[-self._new :]
            prompt = visible(positions, torch.arange(self._visible.shape[1], device=positions.device), window)
            rows = visible(positions, self._positions, window) & (passes[:, None] == self._passes)
            self._seen[key] = torch.cat([prompt & self._visible[passes], rows], dim=1).to(device)
        return self._seen[key]

    def mask(self, query: Tensor, window: int | None) -> Tensor | None:
        """``seen`` as the attention function expects it, for queries (1, heads, rows, dim)."""
        return as_mask(self.seen(window, query.device)[None, None], query, fused=self._fused)
