"""Counts the floating-point operations of the matrix products that run inside a block."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import torch
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.module_tracker import ModuleTracker

aten = torch.ops.aten


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
