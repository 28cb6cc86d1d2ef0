"""The key-value cache of a pruned prefill, with the positions of what windowed layers hold."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedConfig

from tokenrank.capture.cache import Snapshot, hold_copy, keep_in_cache, reserve_less, reserved_cache, take_from_cache


@dataclass(frozen=True)
class Held:
    """What a layer of one run's cache holds."""

    keys: Tensor  # (1, cached heads, held, dim)
    values: Tensor  # (1, cached heads, held, dim)
    positions: Tensor | None  # (cached heads or 1, held) int64, of a windowed layer; None for other layers
    room: int  # tokens that could be added


class PositionedCache:
    """Keys and values of the tokens that each layer keeps, and their positions; each key head of a layer may keep other ones."""

    def __init__(self, config: PreTrainedConfig, capacity: int) -> None:
        """Empty, for a model of this config and at most ``capacity`` tokens a layer."""
        self.cache = reserved_cache(config, capacity)
        self._pieces: dict[int, list[Tensor]] = {}  # layer -> positions, (heads or 1, tokens) each; joined when read
        self._windows: dict[int, int] = {}  # windowed layer -> tokens
        self._marked: tuple[Snapshot, dict[int, list[Tensor]]] | None = None  # what ``back`` returns to

    def add(self, layer: int, positions: Tensor, window: int | None) -> None:
        """Notes that the model has appended tokens to a layer.

        Args:
            layer: its number.
            positions: (new tokens,) int64.
            window: the layer's sliding window in tokens, if it has one.
        """
        self._pieces.setdefault(layer, []).append(positions[None])
        if window is not None:
            self._windows[layer] = window

    def keep(self, layer: int, rows: Tensor, positions: Tensor) -> None:
        """Keeps only some tokens of a layer; the attention call under way still sees all.

        Args:
            layer: its number; it must hold tokens.
            rows: (cached heads, kept) int64, ascending: the kept tokens' numbers among those held.
            positions: (held,) int64 positions of the tokens held.
        """
        keep_in_cache(self.cache, layer, rows)
        self._pieces[layer] = [positions[rows.to(positions.device)]]

    def hold_copy(
        self, layer: int, source: Any, rows: Tensor | None, positions: Tensor, window: int | None, room: int
    ) -> None:
        """Makes a layer that has read nothing hold what a layer of another cache holds, or only some of its tokens.

        Args:
            layer: its number.
            source: as ``layer_copy`` gave it; it stays as it is.
            rows: (cached heads, kept) int64, ascending: the kept tokens' numbers among those held; None: all.
            positions: (held,) int64 positions of the tokens held.
            window: the layer's sliding window in tokens, if it has one.
            room: at most so many tokens can be added.
        """
        hold_copy(self.cache, layer, source, rows, room)
        self.add(layer, positions, window)
        if rows is not None:
            self._pieces[layer] = [positions[rows.to(positions.device)]]

    def copy_positions(self, other: "PositionedCache", layers: Iterable[int]) -> None:
        """Notes that these layers hold the same tokens as those of another cache."""
        for layer in layers:
            if layer in other._pieces:
                self._pieces[layer] = list(other._pieces[layer])
            if layer in other._windows:
                self._windows[layer] = other._windows[layer]

    def reserve_less(self, tokens: int) -> None:
        """Lowers the capacity of layers that are still empty by tokens that will not reach them."""
        reserve_less(self.cache, tokens)

    def held(self, layer: int) -> Tensor:
        """(cached heads or 1, held) int64 positions of the tokens that a layer holds; 1 row where all heads hold the same.

        Raises:
            ValueError: the layer has no attention, or nothing was read yet.
        """
        if layer not in self._pieces:
            known = ", ".join(map(str, sorted(self._pieces))) or "none"
            raise ValueError(f"layer {layer} holds no tokens; the layers that do: {known}")
        pieces = self._pieces[layer]
        if len(pieces) > 1:
            heads = max(map(len, pieces))
            pieces[:] = [torch.cat([each.expand(heads, -1) for each in pieces], dim=1)]
        return pieces[0]

    def positions(self, layer: int) -> Tensor | None:
        """``held`` of a windowed layer; None for other layers, of which a decoded token sees all that is held."""
        return self.held(layer) if layer in self._windows else None

    def mark(self) -> None:
        """Notes what is held, for ``back``; only the first call has an effect."""
        if self._marked is None:
            self._marked = Snapshot(self.cache), {layer: list(pieces) for layer, pieces in self._pieces.items()}

    def back(self) -> None:
        """Forgets all tokens that were added after ``mark``; without a mark nothing is forgotten."""
        if self._marked is not None:
            snapshot, pieces = self._marked
            snapshot.restore(self.cache)
            self._pieces = {layer: list(each) for layer, each in pieces.items()}

    def take(self, layer: int) -> Held:
        """Hands over what a layer holds; it is empty afterwards and has no room.

        Raises:
            ValueError: the layer holds nothing.
        """
        positions = self.positions(layer)
        self._marked = None  # it holds keys and values too
        keys, values, room = take_from_cache(self.cache, layer)
        return Held(keys, values, positions, room)

    def nbytes(self, last_position: Tensor) -> int:
        """Bytes of the keys and values that a next token can see.

        Args:
            last_position: (1,) int64, of the last token fed. In a windowed layer only what the token after it sees counts.
        """
        total = 0
        layers: list[Any] = self.cache.layers
        for number, layer in enumerate(layers):
            if getattr(layer, "keys", None) is None:
                continue  # a layer without attention
            heads, held = layer.keys.shape[1:3]
            seen = heads * held
            if number in self._windows:
                reach = self.held(number) > last_position + 1 - self._windows[number]
                seen = int(reach.expand(heads, -1).sum())
            total += seen * (layer.keys.nbytes + layer.values.nbytes) // (heads * held)
        return total
