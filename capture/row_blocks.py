"""The caches of several runs as one: rows that hold equally many tokens at a layer lie in one buffer and share its attention calls."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from transformers.cache_utils import DynamicLayer

from tokenrank.capture.attention import OwnFunction
from tokenrank.capture.position_masks import PositionMasks
from tokenrank.capture.positioned_cache import Held, PositionedCache
from tokenrank.capture.rules import AttentionRules


@dataclass(frozen=True)
class Block:
    """Rows that hold equally many tokens at a layer."""

    rows: list[int]  # their numbers
    keys: Tensor  # (rows, cached heads, capacity, dim)
    values: Tensor  # (rows, cached heads, capacity, dim)
    held: int  # tokens that each row held at the start
    positions: Tensor | None  # (rows, cached heads or 1, held) int64, of a windowed layer


@dataclass(frozen=True)
class Piece:
    """Rows of a forward pass that lie side by side in a block as in the batch."""

    block: Block
    batch: slice  # in the pass
    places: slice  # in the block


@dataclass
class Fed:
    """What all layers share: which rows the forward pass under way feeds, and how many tokens they were fed before it."""

    start: Tensor  # (all rows,) int64, position of each row's first token of the answer
    rows: list[int] = field(default_factory=list)  # in the order of the batch
    before: int = 0  # tokens

    def positions(self, rows: Sequence[int], tokens: int) -> Tensor:
        """(rows, tokens) int64 positions of the first ``tokens`` that these rows are fed."""
        return self.start[list(rows), None] + torch.arange(tokens, device=self.start.device)


class RowsLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """A layer of the cache of all rows. ``update`` stores new keys and values; ``attend`` serves each row from its own."""

    def __init__(self, blocks: list[Block], fed: Fed) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.blocks, self.fed = blocks, fed
        self._given: tuple[Tensor, Tensor] | None = None  # keys and values of the pass under way
        self._pieces: tuple[list[int], list[Piece]] = ([], [])  # rows of a pass, and the pieces that they make

    def update(self, key_states: Tensor, value_states: Tensor, *_args: Any, **_kwargs: Any) -> tuple[Tensor, Tensor]:
        """Stores the new tokens of the rows that are fed; returns these alone, (rows, cached heads, tokens, dim)."""
        for piece in self._now():
            start = piece.block.held + self.fed.before
            stop = start + key_states.shape[2]
            piece.block.keys[piece.places, :, start:stop] = key_states[piece.batch]
            piece.block.values[piece.places, :, start:stop] = value_states[piece.batch]
        self._given = key_states, value_states
        return self._given

    def attend(
        self,
        own: OwnFunction,
        masks: PositionMasks,
        module: nn.Module,
        query: Tensor,
        new: tuple[Tensor, Tensor],
        rules: AttentionRules,
    ) -> Tensor:
        """Attention of each row over what it holds itself.

        Args:
            own: the model's attention function.
            masks: in the form that it expects.
            module: the attention module, for messages.
            query: (rows, heads, tokens, dim).
            new: keys and values that the module gives its attention function.
            rules: of the call.

        Returns:
            (rows, tokens, heads, dim)

        Raises:
            ValueError: the keys or values are not those that ``update`` returned: the module computes on what is cached.
        """
        given, self._given = self._given, None
        if given is None or not all(map(_is_same, given, new)):
            raise ValueError(
                f"{type(module).__name__} changes keys or values after they were cached, so rows cannot be served from caches of their own"
            )
        found = []
        for piece in self._now():
            stop = piece.block.held + self.fed.before + query.shape[2]
            keys, values = (each[piece.places, :, :stop] for each in (piece.block.keys, piece.block.values))
            mask = self._mask(masks, piece, query[piece.batch], keys, rules)
            found.append(own(query[piece.batch], keys, values, mask)[0])
        return torch.cat(found) if len(found) > 1 else found[0]

    def _mask(
        self, masks: PositionMasks, piece: Piece, query: Tensor, keys: Tensor, rules: AttentionRules
    ) -> Tensor | None:
        """The mask of the rows of a piece; in a windowed layer by each row's own positions."""
        held = piece.block.positions
        tokens, rows = query.shape[2], self.fed.rows[piece.batch]
        now = self.fed.positions(rows, self.fed.before + tokens)
        if held is not None:
            held = held[piece.places]
            held = torch.cat([held, now[:, None].expand(-1, held.shape[1], -1)], dim=2)
        return masks.of_answer(query, keys, now[:, -tokens:], held, rules.sliding_window)

    def _now(self) -> list[Piece]:
        """The pieces of the pass under way, in the order of the batch."""
        if self._pieces[0] != self.fed.rows:
            pieces = [piece for block in self.blocks for piece in _pieces(block, self.fed.rows)]
            self._pieces = list(self.fed.rows), sorted(pieces, key=lambda piece: piece.batch.start)
        return self._pieces[1]


def _is_same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are one, perhaps as two views."""
    return (one.data_ptr(), one.shape, one.stride()) == (other.data_ptr(), other.shape, other.stride())


def _pieces(block: Block, rows: list[int]) -> list[Piece]:
    """The longest runs of a block's rows that follow each other in a pass over ``rows`` as in the block."""
    batch_of = {row: place for place, row in enumerate(rows)}
    pieces: list[Piece] = []
    for place, row in enumerate(block.rows):
        if row not in batch_of:
            continue
        batch, last = batch_of[row], pieces[-1] if pieces else None
        if last is not None and (last.batch.stop, last.places.stop) == (batch, place):
            pieces[-1] = Piece(block, slice(last.batch.start, batch + 1), slice(last.places.start, place + 1))
        else:
            pieces.append(Piece(block, slice(batch, batch + 1), slice(place, place + 1)))
    return pieces


def blocks_of(caches: Sequence[PositionedCache], order: Sequence[int], layer: int) -> tuple[list[Block], int]:
    """Moves what several runs hold at a layer into blocks; the runs' layers are empty afterwards.

    Args:
        caches: of the runs.
        order: numbers of the runs, in the order in which they are to lie in a block.
        layer: its number.

    Returns:
        The blocks, and how many more tokens each row has room for.

    Raises:
        ValueError: a run holds nothing at this layer.
    """
    taken = {row: caches[row].take(layer) for row in order}
    room = min(held.room for held in taken.values())
    alike: dict[int, list[int]] = {}
    for row in order:
        alike.setdefault(taken[row].keys.shape[2], []).append(row)
    return [_block(rows, [taken[row] for row in rows], room) for rows in alike.values()], room


def _block(rows: list[int], held: list[Held], room: int) -> Block:
    """A block of these rows, made of what each holds."""
    tokens = held[0].keys.shape[2]
    keys, values = (
        each.new_empty((len(rows), each.shape[1], tokens + room, each.shape[3]))
        for each in (held[0].keys, held[0].values)
    )
    positions = [each.positions for each in held if each.positions is not None]
    heads = max((len(each) for each in positions), default=1)
    for place, each in enumerate(held):
        keys[place, :, :tokens], values[place, :, :tokens] = each.keys[0], each.values[0]
    at = torch.stack([each.expand(heads, -1) for each in positions]) if positions else None
    return Block(rows, keys, values, tokens, at)
