"""Counts the floating-point operations of the matrix products that run inside a block."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from tokenrank.capture.inspection import model_layers
from tokenrank.prefill.engine import Engine, Job

aten = torch.ops.aten


@dataclass
class Flops:
    """Operations of a block; set when it ends."""

    total: int = 0


@contextmanager
def counted() -> Iterator[Flops]:
    """Counts the matrix products of the block, a multiplication and an addition each as one operation.

    Fused causal attention counts for (tokens^2 + tokens) / 2 pairs of query and key. Attention with a mask, and eager attention,
    count for all pairs, because they compute all. Norms, softmax, pooling and sorting are no matrix products and are not
    counted.

    >>> with counted() as flops:
    ...     _ = torch.ones(2, 3) @ torch.ones(3, 4)
    >>> flops.total
    48
    """
    flops = Flops()
    with FlopCounterMode(
        display=False, custom_mapping={each: partial(_attention, place) for each, place in FUSED.items()}
    ) as counter:
        yield flops
    flops.total = counter.get_total_flops()


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


class FlopCounts:
    """Operations of prefills. They depend on the contestant and on how many tokens it reads and keeps, so each case is counted once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int], int] = {}

    def of(self, name: str, engine: Engine, job: Job) -> int:
        """Counted in a prefill that is thrown away, or known from an earlier one.

        Args:
            name: of the contestant.
            engine: resolved for the model.
            job: the prompt and the number of kept tokens.
        """
        key = (name, len(job.input_ids), job.kept)
        of_the_prompt = job.heuristic is not None and job.heuristic.needs.answer  # a draft's answer may end early
        if of_the_prompt or key not in self._known:
            model_layers(job.model)  # runs one token the first time, which must not be counted
            with counted() as flops:
                engine.prefill(job)
            self._known[key] = flops.total
        return self._known[key]
