"""The masks that a model makes, held against causality and the sliding windows of its layers.

Two looks. While a model is inspected, ``noted`` records how each mask is made, so that its window is known for prompts of every length
and its rows can be compared far beyond that window at no cost. While a prompt is read, ``MaskCheck`` compares a few rows of the mask
that each layer is given, after all that the model has done to it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.masking_utils import sdpa_mask

from tokenrank.capture.position_masks import visible
from tokenrank.capture.rules import AttentionRules, NotCaptured

MaskMaker = Callable[..., Tensor | None]
ROWS_BEYOND = 3  # how many windows long the compared rows are


@dataclass(frozen=True)
class MadeMask:
    """A mask that the model has asked transformers for."""

    mask: Tensor
    function: Callable[..., Tensor]  # of the indices of batch, head, query and key: whether the query sees the key
    window: int | None  # of the mask, in tokens
    use_vmap: bool  # how ``function`` is to be called

    def is_of(self, mask: Tensor | None) -> bool:
        """Whether the tensor is this mask or a view of it."""
        return mask is not None and mask.untyped_storage()._cdata == self.mask.untyped_storage()._cdata

    def is_causal_and_windowed(self) -> bool:
        """Whether a query sees exactly the keys up to its own, of these only the last ``window``; a few rows are compared.

        A mask that cannot be made for other tokens than those of the inspection (it may depend on numbers of a model without weights,
        or on what the tokens are) counts as right: the look and ``MaskCheck`` compare it for real prompts.
        """
        try:
            return self._rows_are_right()
        except Exception:  # the function is the model's own
            return True

    def _rows_are_right(self) -> bool:
        window = self.window or 32
        keys = ROWS_BEYOND * window + 5
        for start in (0, window - 1, 2 * window + 1, keys - 2):
            rows = sdpa_mask(
                batch_size=1,
                q_length=2,
                kv_length=keys,
                q_offset=start,
                mask_function=self.function,
                allow_is_causal_skip=False,
                use_vmap=self.use_vmap,
            )
            wanted = visible(torch.arange(start, start + 2), torch.arange(keys), self.window)
            if rows is None or not torch.equal(rows[0, 0], wanted):
                return False
        return True


_NOTES: ContextVar[list[MadeMask] | None] = ContextVar("masks made within noting_masks", default=None)


@contextmanager
def noting_masks() -> Iterator[list[MadeMask]]:
    """Within the block, every mask made through ``noted`` is really made (none is left out) and added to the list."""
    notes: list[MadeMask] = []
    token = _NOTES.set(notes)
    try:
        yield notes
    finally:
        _NOTES.reset(token)


def noted(make: MaskMaker) -> MaskMaker:
    """The same maker of masks, whose masks are noted within ``noting_masks``."""

    def maker(**named: Any) -> Tensor | None:
        notes = _NOTES.get()
        if notes is None:
            return make(**named)
        mask = make(**(named | {"allow_is_causal_skip": False, "allow_is_bidirectional_skip": False}))
        if mask is None:
            return None
        mask = mask.clone()  # a storage of its own, by which it is recognised
        notes.append(MadeMask(mask, named["mask_function"], named.get("local_size"), named.get("use_vmap", False)))
        return mask

    return maker


class MaskCheck:
    """Compares masks with the rules of their layers; on a GPU the comparison is waited for once, at the end."""

    def __init__(self, model: PreTrainedModel) -> None:
        """Nothing is compared yet; ``model`` is watched (see ``capture.attention.watch``)."""
        self._model, self._fused = type(model).__name__, "eager" not in str(model.config._attn_implementation)
        self._layers: list[int] = []
        self._wrong: list[Tensor] = []  # () bool each

    def add(self, layer: int, query: Tensor, key: Tensor, rules: AttentionRules) -> None:
        """Compares the rows of the first, the middle and the last query with what the rules imply.

        Args:
            layer: its number.
            query: (1, heads, queries, dim); the last query stands at the last key.
            key: (1, kv_heads, keys, dim), at positions 0, 1, 2, ...
            rules: of the call, with the mask.
        """
        mask, window, queries, keys = rules.mask, rules.sliding_window, query.shape[2], key.shape[2]
        if mask is None:
            if not self._is_right_without(queries, keys, window):
                self._note(layer, torch.tensor(True))
            return None
        if mask.shape[2] != queries or mask.shape[3] < keys:
            return self._note(layer, torch.tensor(True))
        rows = torch.tensor(sorted({0, queries // 2, queries - 1}), device=mask.device)
        given = mask[0][:, rows, :keys]  # (heads or 1, rows, keys)
        wanted = visible(rows + keys - queries, torch.arange(keys, device=mask.device), window)
        if given.dtype == torch.bool:
            return self._note(layer, (given != wanted).any())
        hidden = given <= torch.finfo(given.dtype).min / 2
        return self._note(layer, (torch.where(hidden, 0, given) != 0).any() | (hidden == wanted).any())

    def finish(self) -> None:
        """Raises ValueError, with the layers, if a mask was not what the rules imply."""
        if not self._wrong:
            return
        wrong = torch.stack([each.to(self._wrong[0].device) for each in self._wrong]).tolist()
        layers = sorted({layer for layer, bad in zip(self._layers, wrong, strict=True) if bad})
        if layers:
            raise NotCaptured(
                f"{self._model} gives its attention function a mask that is more than causality and a sliding window "
                f"(layers {', '.join(map(str, layers))}), so attention cannot be computed from queries and keys alone"
            )

    def _note(self, layer: int, wrong: Tensor) -> None:
        self._layers.append(layer)
        self._wrong.append(wrong)

    def _is_right_without(self, queries: int, keys: int, window: int | None) -> bool:
        """Without a mask the fused function is causal if there are several queries; else every query sees every key."""
        if window is not None and window < keys:
            return False
        return queries == 1 or (self._fused and queries == keys)
