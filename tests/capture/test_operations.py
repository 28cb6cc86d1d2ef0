"""Operations as they are run, against a formula worked by hand for Llama; pruning counts what it leaves."""

import pytest
import torch
from torch import nn

from tokenrank.capture.inspection import model_layers
from tokenrank.capture.operations import counted
from tokenrank.capture.pruning import Keep, PrunedRun
from tokenrank.heuristics.claa import CLAA
from tokenrank.models.architectures import ARCHITECTURES, tiny_of
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


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_counting_changes_nothing_that_is_computed(architecture: str) -> None:
    model, heuristic, ids = tiny_of(architecture), CLAA(window=4, n=1), torch.arange(50) * 7 % WORDS
    engine = Layerwise(window=4).resolved(heuristic, model_layers(model))
    jobs = {Full(): Job(model, None, ids, 50, answer_tokens=3), engine: Job(model, heuristic, ids, 20, answer_tokens=3)}
    for each, job in jobs.items():
        plain = each.prefill(job)
        totals = []
        for _ in range(2):
            with counted() as flops:
                found = each.prefill(job)
            totals.append(flops.total)
        assert torch.equal(found.logits, plain.logits)
        assert torch.equal(found.kept, plain.kept)
        assert found.kv_bytes() == plain.kv_bytes()
        assert found.answer(3) == plain.answer(3)
        assert totals[0] == totals[1] > 0


def test_a_module_that_is_called_with_a_parameter_is_counted() -> None:
    module, weights = nn.Identity(), nn.Parameter(torch.ones(4, 5))
    with torch.inference_mode(), counted() as flops:
        torch.ones(3, 4) @ module(weights)
    assert flops.total == 2 * 3 * 4 * 5
