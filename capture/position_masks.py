"""Attention masks made from the positions of queries and keys, for layers where some of the prompt's tokens are missing."""

import torch
from torch import Tensor


class PositionMasks:
    """The masks of a pruned prefill and of the decoding after it.

    All layers of a prefill that process the same tokens with the same window share one mask.
    """

    def __init__(self, *, fused: bool) -> None:
        """``fused``: the masks are for the fused attention function, otherwise for the eager one."""
        self._fused = fused
        self._shared: dict[tuple[int | None, torch.device], Tensor | None] = {}  # (window, device) -> mask

    def of_prompt(self, query: Tensor, positions: Tensor, window: int | None) -> Tensor | None:
        """The mask of a layer that processes tokens at these positions.

        Args:
            query: (1, heads, tokens, dim).
            positions: (tokens,) int64, ascending, of queries and keys alike.
            window: sliding window in tokens; None: a token sees all before it.

        Returns:
            As ``as_mask``.
        """
        key = (window, query.device)
        if key not in self._shared:
            seen = None if window is None else visible(positions, positions[None], window)
            self._shared[key] = as_mask(None if seen is None else seen[None].to(query.device), query, fused=self._fused)
        return self._shared[key]

    def of_answer(
        self, query: Tensor, key: Tensor, positions: Tensor, held: Tensor | None, window: int | None
    ) -> Tensor | None:
        """The mask of tokens of the answer, which are the last of the keys; of several rows with equally many keys.

        Args:
            query: (rows, heads, tokens, dim).
            key: (rows, kv_heads, held tokens, dim), these tokens included.
            positions: (rows, tokens) int64, of the tokens.
            held: (rows, kv_heads or 1, held tokens) int64, positions of the keys; may be None without a window.
            window: sliding window in tokens; None: a token sees all that is held but the tokens after it.

        Returns:
            As ``as_mask``.
        """
        tokens, keys = query.shape[2], key.shape[2]
        if window is None or held is None:
            if tokens == 1:
                return as_mask(None, query, fused=self._fused)
            seen = torch.ones(1, 1, tokens, keys, dtype=torch.bool, device=query.device).tril(keys - tokens)
            return as_mask(seen, query, fused=self._fused)
        seen = visible(positions[:, None], held, window).to(query.device)  # (rows, kv_heads or 1, tokens, keys)
        if seen.shape[1] > 1:
            seen = seen.repeat_interleave(query.shape[1] // seen.shape[1], dim=1)
        return as_mask(seen, query, fused=self._fused)

    def forget(self) -> None:
        """Drops the shared masks: other tokens are processed from now on."""
        self._shared.clear()


def visible(queries: Tensor, keys: Tensor, window: int | None) -> Tensor:
    """Which keys each query sees by causality and window.

    Args:
        queries: (..., queries) int64 positions.
        keys: (..., keys) int64 positions; with an axis in front where rows or key heads hold different ones.
        window: tokens, the query's own included; None: no window.

    Returns:
        (..., queries, keys) bool.

    >>> visible(torch.tensor([2]), torch.arange(4), window=2).tolist()
    [[False, True, True, False]]
    >>> visible(torch.tensor([5]), torch.tensor([[2, 3, 5, 6]]), window=3).tolist()
    [[[False, True, True, False]]]
    """
    distance = queries[..., :, None] - keys[..., None, :]
    return distance >= 0 if window is None else (distance >= 0) & (distance < window)


def as_mask(visible: Tensor | None, query: Tensor, *, fused: bool) -> Tensor | None:
    """A mask in the form that the attention function expects.

    Args:
        visible: (rows or 1, heads or 1, queries, keys), true where a query sees a key; None: each query sees all keys up to its own.
        query: (rows, heads, queries, dim).
        fused: for the fused function, otherwise for the eager one.

    Returns:
        (rows or 1, heads or 1, queries, keys): bool for the fused function, for the eager one 0 or the dtype's lowest value, to be added
        to the logits. None where the fused function needs no mask; some eager functions insist on one.
    """
    if fused:
        return visible
    if visible is None:
        rows = query.shape[2]
        visible = torch.ones(1, 1, rows, rows, dtype=torch.bool, device=query.device).tril()  # one row serves any keys
    return torch.zeros(visible.shape, dtype=query.dtype, device=query.device).masked_fill_(
        ~visible, torch.finfo(query.dtype).min
    )
