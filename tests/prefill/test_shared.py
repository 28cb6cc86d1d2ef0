"""An engine after a shared prefill gives bit for bit what it gives alone, on every architecture."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from tests.prefill.cases import ANSWER, ENGINES, TOKENS, layers_of, model_of, prompt
from tokenrank.capture.looking import look
from tokenrank.capture.operations import counted
from tokenrank.capture.reading import read
from tokenrank.capture.shared_prefill import LayerReader, SharedPrefill
from tokenrank.heuristics.claa import CLAA
from tokenrank.heuristics.fastkv import FastKV
from tokenrank.heuristics.gemfilter import GemFilter
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.models.architectures import ARCHITECTURES, tiny_of
from tokenrank.prefill.engine import Engine, Full, Job, Prefilled
from tokenrank.prefill.layerwise import Layerwise
from tokenrank.prefill.restart import Restart

Named = Mapping[str, tuple[Engine, Heuristic]]
KEPT = (12, 25, 40)  # of 40 tokens
CONTESTANTS: Named = {name: pair for name, pair in ENGINES.items() if name != "full"} | {
    "fastkv": (Layerwise(window=4, min_layer=1), FastKV(window=4)),
    "at the first layer": (Layerwise(window=4), GemFilter()),
    "restart by claa": (Restart(window=4), CLAA(window=4, n=2)),
}


def shared_prefill(
    model: PreTrainedModel, contestants: Named, tokens: int = TOKENS
) -> tuple[SharedPrefill, dict[str, LayerReader]]:
    """The prompt, read once with an answer after it, for all these."""
    look(model, TOKENS + ANSWER)  # as before every run: what it computes is counted for no engine
    device = torch.device("cpu")
    readers = {name: engine.reader(heuristic, device) for name, (engine, heuristic) in contestants.items()}
    after = [engine.select_at for engine, _ in contestants.values()]
    shared = SharedPrefill(model, list(readers.values()), [layer for layer in after if layer is not None])
    read(model, prompt(tokens), lambda _layer: None, max_new_tokens=ANSWER, shared=shared)
    return shared, readers


def resolved(architecture: str, contestants: Named) -> Named:
    """The engines, resolved for the model, where the heuristic can rank for it; one selects at its first layer."""
    found = {}
    layers = layers_of(architecture)
    for name, (engine, heuristic) in contestants.items():
        asked = replace(engine, select_layer=layers.attention[0]) if name == "at the first layer" else engine  # type: ignore[call-arg]
        found[name] = (asked.resolved(heuristic, layers), heuristic)
    return found


def outcome(done: Prefilled) -> tuple[list[int], Tensor, list[int], int]:
    """Kept tokens, the logits of the answer's tokens as they are fed, the answer, and the bytes held before it."""
    held = done.kv_bytes()
    logits, answer = [done.logits], [done.first_token]
    while len(answer) < ANSWER:
        logits.append(done.decode(answer[-1], len(answer) - 1))
        answer.append(int(logits[-1].argmax()))
    return done.kept.tolist(), torch.stack(logits), answer, held


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_shared_is_alone_bit_for_bit(architecture: str) -> None:
    contestants = resolved(architecture, CONTESTANTS)
    model = model_of(architecture)
    shared, readers = shared_prefill(model, contestants)
    for kept in KEPT:
        after = {}
        for name, (engine, heuristic) in contestants.items():
            job = Job(model, heuristic, prompt(), kept, answer_tokens=ANSWER)
            after[name] = engine.prefill_after(job, shared, readers[name])
        shared.forget_halves()
        for name, (engine, heuristic) in contestants.items():
            with counted() as spent:
                alone = engine.prefill(Job(model, heuristic, prompt(), kept, answer_tokens=ANSWER))
            assert after[name].operations == spent.total, name
            wanted, found = outcome(alone), outcome(after[name])
            assert found[0] == wanted[0], name
            assert torch.equal(found[1], wanted[1]), (name, kept)
            assert found[2:] == wanted[2:], name


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_full_prefill_is_the_shared_one(architecture: str) -> None:
    model = model_of(architecture)
    shared, _ = shared_prefill(model, {})
    job = Job(model, None, prompt(), len(prompt()), answer_tokens=ANSWER)
    with counted() as spent:
        wanted = Full().prefill(job)
    found = Full().after(job, shared)
    assert found.operations == spent.total
    assert torch.equal(outcome(found)[1], outcome(wanted)[1])


def test_operations_do_not_depend_on_what_was_counted_before() -> None:
    """A long prompt leaves as many tokens as a short one has, which the window of the layers does not reach beyond."""
    model, contestants = tiny_of("mistral (window)"), resolved("mistral (window)", CONTESTANTS)
    for tokens, kept in ((TOKENS, 12), (12, 12), (12, 8)):
        shared, readers = shared_prefill(model, contestants, tokens)
        for name, (engine, heuristic) in contestants.items():
            job = Job(model, heuristic, prompt(tokens), kept, answer_tokens=ANSWER)
            with counted() as spent:
                engine.prefill(job)
            assert engine.prefill_after(job, shared, readers[name]).operations == spent.total, (name, tokens, kept)
