"""Operations as they are run, against a formula worked by hand for Llama; pruning counts what it leaves."""

from typing import ClassVar

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.capture.pruning import Keep, PrunedRun
from tokenrank.evaluation.flops_counter import FlopCounts, counted
from tokenrank.heuristics.claa import CLAA
from tokenrank.models.architectures import tiny_of
from tokenrank.prefill.engine import Full, Job
from tokenrank.prefill.layerwise import Layerwise

HIDDEN, INNER, HEADS, KV_HEADS, DIM, WORDS = 32, 48, 4, 2, 8, 64


def layer_flops(tokens: int, *, causal: bool = True) -> int:
    """One Llama layer: projections, attention, feed-forward; two operations for each multiplication and addition."""
    linear = HIDDEN * HEADS * DIM * 2 + 2 * HIDDEN * KV_HEADS * DIM + 3 * HIDDEN * INNER
    pairs = tokens * (tokens + 1) // 2 if causal else tokens * tokens
    return 2 * tokens * linear + 4 * HEADS * DIM * pairs


def run_of(tokens: int, implementation: str) -> PrunedRun:
    ids = torch.arange(tokens) % WORDS
    return PrunedRun(tiny_of("llama", implementation), ids, answer_tokens=1)


@pytest.mark.parametrize("tokens", [16, 50])
@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_a_prefill_counts_what_the_formula_says(tokens: int, implementation: str) -> None:
    run = run_of(tokens, implementation)
    with counted() as flops:
        run.prefill()
    head = 2 * HIDDEN * WORDS  # of the last token alone
    assert flops.total == 3 * layer_flops(tokens, causal=implementation == "sdpa") + head


def test_layers_after_the_selection_count_only_what_they_see() -> None:
    run = run_of(50, "sdpa")
    onward = torch.arange(40, 50)
    with counted() as flops:
        run.prefill(lambda layer: Keep(onward=onward) if layer.index == 0 else Keep())
    assert flops.total == layer_flops(50) + 2 * layer_flops(10) + 2 * HIDDEN * WORDS


def test_a_block_that_computes_nothing_counts_nothing() -> None:
    with counted() as flops:
        pass
    assert flops.total == 0


class Noting(CLAA):
    """Notes what it is asked for."""

    seen: ClassVar[list[int]] = []

    def score(self, layer: AttentionLayer) -> Tensor:
        self.seen.append(layer.tokens)
        return super().score(layer)


def test_operations_are_counted_once_for_as_many_tokens(tiny_model: PreTrainedModel) -> None:
    Noting.seen.clear()
    heuristic = Noting(window=4, n=1)
    engine = Layerwise(window=4, min_layer=4).resolved(heuristic, ModelLayers(4, tuple(range(4))))
    counts = FlopCounts()

    def count(name: str, tokens: int, kept: int) -> int:
        return counts.of(name, engine, Job(tiny_model, heuristic, torch.arange(tokens), kept, answer_tokens=1))

    first = count("claa", 60, 20)
    assert count("claa", 60, 20) == first
    assert Noting.seen == [60]
    assert count("claa", 61, 20) > first
    assert count("claa", 60, 21) > first
    count("other", 60, 20)
    assert Noting.seen == [60, 61, 60, 60]


def test_the_look_at_a_new_models_layers_is_not_counted() -> None:
    model = tiny_of("llama")
    job = Job(model, None, torch.arange(12), 12, answer_tokens=1)
    first, second = (FlopCounts().of("full", Full(), job) for _ in range(2))
    assert first == second > 0
