"""Counts the floating-point operations of the matrix products that run inside a block."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import torch
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.module_tracker import ModuleTracker
from transformers import PreTrainedModel

aten = torch.ops.aten
COUNTS = "tokenrank_operations"  # attribute of a model: what was counted once
END = "end"


@dataclass(frozen=True)
class Flops:
    """Operations of a block."""

    counter: FlopCounterMode

    @property
    def total(self) -> int:
        """Those so far; after the block, all."""
        return int(self.counter.get_total_flops())


@contextmanager
def counted() -> Iterator[Flops]:
    """Counts the matrix products of the block, a multiplication and an addition each as one operation.

    Fused causal attention counts for (tokens^2 + tokens) / 2 pairs of query and key. Attention with a mask, and eager attention,
    count for all pairs, because they compute all. Norms, softmax, pooling and sorting are no matrix products and are not
    counted. What the block computes is not changed.

    >>> with counted() as flops:
    ...     _ = torch.ones(2, 3) @ torch.ones(3, 4)
    >>> flops.total
    48
    """
    fused = {each: partial(_attention, place) for each, place in FUSED.items()}
    counter = FlopCounterMode(display=False, custom_mapping=fused)
    counter.mod_tracker = _NoModules()
    with counter:
        yield Flops(counter)


class Marks:
    """Operations of a block up to some of its moments."""

    def __init__(self, totals: dict[Hashable, int], flops: Flops | None) -> None:
        """``totals`` are known, or filled as the block runs, from ``flops``."""
        self._totals, self._flops, self._left_out = totals, flops, 0

    def mark(self, moment: Hashable) -> None:
        """This moment is now."""
        if self._flops is not None:
            self._totals[moment] = self._flops.total - self._left_out

    def leave_out(self, operations: int) -> None:
        """So many operations of the block do not count."""
        self._left_out += operations

    def __getitem__(self, moment: Hashable) -> int:
        """Operations from the start of the block to a moment that was marked; ``END`` is its end."""
        return self._totals[moment]


@contextmanager
def counted_once(model: PreTrainedModel, key: Hashable) -> Iterator[Marks]:
    """Counts a block the first time that it runs for a model and key; from then on its operations are known, as counting costs time.

    Args:
        model: that runs; it keeps the counts.
        key: all that decides the shapes of the block's matrix products: what is run, and on how many tokens.
    """
    known: dict[Hashable, dict[Hashable, int]] = vars(model).setdefault(COUNTS, {})
    whole = (model.config._attn_implementation, key)
    if whole in known:
        yield Marks(known[whole], None)
        return
    with counted() as flops:
        marks = Marks({}, flops)
        yield marks
        marks.mark(END)
    known[whole] = marks._totals


class _NoModules(ModuleTracker):
    """Counts are not told apart by module, whose hooks refuse a module that is called with a parameter, as in dbrx."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


# fused attention -> place of is_causal among its arguments after query, key and value
FUSED = {
    aten._scaled_dot_product_flash_attention_for_cpu: 1,
    aten._scaled_dot_product_flash_attention: 1,
    aten._scaled_dot_product_efficient_attention: 3,
    aten._scaled_dot_product_cudnn_attention: 3,
}


def _attention(place: int, query: Any, key: Any, value: Any, *rest: Any, **named: Any) -> int:
    """Two products for every pair: query with key, weight with value; the arguments are shapes."""
    batch, heads, queries, dim = query
    keys = key[2]
    causal = rest[place] if len(rest) > place else named.get("is_causal", False)
    pairs = queries * (queries + 1) // 2 if causal and queries == keys else queries * keys
    return int(2 * batch * heads * pairs * (dim + value[3]))
