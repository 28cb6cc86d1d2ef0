"""Draws prompts: cells of a grid or rows of a table; checks lengths."""

import random
from collections.abc import Sequence
from typing import TypeVar

Cell = TypeVar("Cell")


def drawn_cells(cells: Sequence[Cell], samples: int | None, seed: int) -> list[tuple[Cell, int]]:
    """(cell, repeat) pairs in the order drawn: each cell once before any cell is repeated; repeats count from 0.

    Args:
        cells: of the grid.
        samples: number of pairs; None: one per cell.
        seed: which cells come first.
    """
    order = list(cells)
    random.Random(seed).shuffle(order)
    return [(order[i % len(order)], i // len(order)) for i in range(samples or len(order))]


def drawn_rows(sizes: dict[str, int], samples: int | None, seed: int) -> list[tuple[str, int]]:
    """(subset, row) pairs: rows are shuffled within each subset, then taken from the subsets in turn.

    A larger ``samples`` includes the pairs of a smaller one.

    Args:
        sizes: rows of each subset.
        samples: pairs in all, at most as many as there are rows; None: every row.
        seed: which rows.

    Returns:
        In the order of ``sizes``, then of the rows.
    """
    orders = {}
    for subset, size in sizes.items():
        orders[subset] = list(range(size))
        random.Random(f"{seed} {subset}").shuffle(orders[subset])
    turns = [(turn, subset) for turn in range(max(sizes.values())) for subset in sizes if turn < sizes[subset]]
    drawn = [(subset, orders[subset][turn]) for turn, subset in turns[:samples]]
    places = {subset: place for place, subset in enumerate(sizes)}
    return sorted(drawn, key=lambda pair: (places[pair[0]], pair[1]))


def check_lengths(lengths: list[int]) -> None:
    """Raises ValueError unless there are lengths, all of them different and positive."""
    if not lengths:
        raise ValueError("task.lengths is empty, must hold at least one length in tokens")
    if len(set(lengths)) < len(lengths):
        raise ValueError(f"task.lengths holds one value twice: {lengths}")
    if min(lengths) < 1:
        raise ValueError(f"task.lengths holds {min(lengths)}, must be at least 1 token")


def check_lengths_fit(lengths: list[int], max_new_tokens: int, max_tokens: int) -> None:
    """Raises ValueError unless the model can read every length and the answer after it."""
    longest = max_tokens - max_new_tokens
    for length in lengths:
        if length > longest:
            raise ValueError(
                f"task.lengths holds {length}, but the model reads {max_tokens} tokens, "
                f"{max_new_tokens} of them kept for the answer: at most {longest}"
            )
