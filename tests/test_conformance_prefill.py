"""Does our pruned prefill agree with that of the paper's authors: what is kept, what is cached, what is answered?

The authors' outputs are not part of the project. Their folder (parameters.json, prompts.jsonl, ID.npz) is looked for beside the
checkout, in ``../shared/reference_prefill``, or where ``TOKENRANK_REFERENCE_PREFILL`` says; without it these tests are skipped.
Run with ``make conformance``.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from tokenrank.capture.attention import watch
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.heuristics.claa import CLAA
from tokenrank.heuristics.fastkv import FastKV
from tokenrank.heuristics.gemfilter import GemFilter
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.heuristics.speculative import Speculative
from tokenrank.metrics.metric import tokens_kept
from tokenrank.models.smollm2 import SmolLM2
from tokenrank.prefill.draft import Draft
from tokenrank.prefill.engine import Engine, Full, Job, Prefilled
from tokenrank.prefill.layerwise import Layerwise
from tokenrank.prefill.precomputed import Precomputed
from tokenrank.prefill.restart import Restart
from tokenrank.tasks.tokens import encode

ROOT = Path(__file__).parent.parent
REFERENCE = Path(os.environ.get("TOKENRANK_REFERENCE_PREFILL", ROOT.parent / "shared" / "reference_prefill")).absolute()
PARAMETERS = REFERENCE / "parameters.json"
FACTS: dict[str, Any] = json.loads(PARAMETERS.read_text())["prompts"] if PARAMETERS.is_file() else {}
SPECULATIVE = "speculative_20"  # a run of those prompts whose files have it


def runs() -> Iterator[tuple[str, str]]:
    """Every prompt with each of its runs."""
    for sample, facts in FACTS.items():
        yield from ((sample, run) for run in facts["runs"])
        with np.load(REFERENCE / f"{sample}.npz", allow_pickle=False) as arrays:
            if f"{SPECULATIVE}_kept" in arrays:
                yield sample, SPECULATIVE


RUNS = list(runs())
SPECULATED = [sample for sample, run in RUNS if run == SPECULATIVE]
LENGTHS = {facts["tokens"] for facts in FACTS.values()}
WINDOW = 8  # tokens at the end that are always kept
END = 2  # the end-of-sequence token
TOLERANCE = 1e-3  # of a logit

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.skipif(not FACTS, reason=f"the authors' outputs are not here: {PARAMETERS} does not exist"),
]


@dataclass(frozen=True)
class Prepared:
    """The model, loaded once, and its layers."""

    model: PreTrainedModel
    layers: ModelLayers

    def prefilled(self, sample: str, run: str, **settings: Any) -> Prefilled:
        """What our engine makes of a run of the authors; ``settings`` replace those of the heuristic."""
        ids = torch.from_numpy(theirs(sample)["input_ids"]).long()
        method, _, keep = run.partition("_")
        heuristic, engine = ranker(sample, method, self.layers, settings)
        if heuristic is not None:
            engine = engine.resolved(heuristic, self.layers)
        kept = tokens_kept(float(keep), len(ids)) if keep else len(ids)
        return engine.prefill(Job(self.model, heuristic, ids, kept, FACTS[sample]["max_new_tokens"]))


def ranker(sample: str, method: str, layers: ModelLayers, settings: dict[str, Any]) -> tuple[Heuristic | None, Engine]:
    """Who ranks and the engine, with the authors' parameters."""
    if method == "oracle":
        scores = torch.from_numpy(theirs(sample)["oracle_scores"]).float()
        return Precomputed(dict.fromkeys(layers.attention, scores)), Layerwise(window=WINDOW)
    known: dict[str, tuple[Any, Engine]] = {
        "full": (None, Full()),
        "claa": (CLAA(n=4, window=WINDOW, kernel=7), Layerwise(window=WINDOW, min_layer=4)),
        "fastkv": (FastKV(window=WINDOW, kernel=7), Layerwise(window=WINDOW)),
        "gemfilter": (GemFilter(kernel=5), Restart(window=WINDOW)),
        "speculative": (Speculative(look_ahead=8, extra_query=True, kernel=7, chunk=None), Draft(window=0)),
    }
    heuristic, engine = known[method]
    return replace(heuristic, **settings) if settings else heuristic, engine


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    model = SmolLM2().model()
    watch(model)
    for name, module in model.named_modules():
        if name.endswith(("mlp", "q_proj", "k_proj", "v_proj", "o_proj")):
            module.forward = remembering(module.forward)
    return Prepared(model, model_layers(model))


def remembering(forward: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The same function of its input, which computes the last whole prompt's output once.

    Up to the select layer every run of a prompt gives these modules the same input, bit for bit: this more than halves the time.
    """
    known: list[tuple[Tensor, Tensor]] = []

    def called(states: Tensor) -> Tensor:
        if states.shape[1] not in LENGTHS:
            return forward(states)
        if not known or not torch.equal(known[0][0], states):
            known[:] = [(states, forward(states))]
        return known[0][1]

    return called


@cache
def theirs(sample: str) -> dict[str, Any]:
    with np.load(REFERENCE / f"{sample}.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def test_the_prompts_are_the_same_tokens() -> None:
    tokenizer = SmolLM2().tokenizer()
    lines = [json.loads(line) for line in (REFERENCE / "prompts.jsonl").read_text().splitlines() if line]
    assert {line["id"] for line in lines} == set(FACTS)
    for line in lines:
        assert encode(tokenizer, line["prompt"]) == theirs(line["id"])["input_ids"].tolist()


@pytest.mark.parametrize(("sample", "run"), RUNS)
def test_what_is_kept_cached_and_answered_agrees(prepared: Prepared, sample: str, run: str) -> None:
    wanted = {name.removeprefix(f"{run}_"): each for name, each in theirs(sample).items() if name.startswith(f"{run}_")}
    done = prepared.prefilled(sample, run)
    cache, logits = done.run.kept, done.logits.numpy()
    if "kept" in wanted:  # all but the full prefill's
        assert done.kept.tolist() == wanted["kept"].tolist()
    if "cache_lengths" in wanted:  # all but gemfilter's
        assert [cache.held(layer).shape[1] for layer in range(30)] == wanted["cache_lengths"].tolist()
    last = list(range(FACTS[sample]["tokens"] - WINDOW, FACTS[sample]["tokens"]))
    for layer, heads in zip(wanted.get("cached_layers", []), wanted.get("cached", []), strict=True):
        assert cache.held(int(layer)).tolist() == [[*places, *last] for places in heads.tolist()]
    assert np.abs(logits[wanted["top_ids"]] - wanted["top_logits"]).max() < TOLERANCE
    assert np.abs(logits[::16] - wanted["logits_every_16th"]).max() < TOLERANCE
    limit = FACTS[sample]["max_new_tokens"]
    found, answer = done.answer(limit), wanted["answer"].tolist()
    if run.startswith("gemfilter"):  # the authors generate up to one token more and leave the end token out
        found, answer = [token for token in found if token != END], answer[:limit]
    assert found == answer


@pytest.mark.parametrize("sample", FACTS)
def test_the_check_would_notice_another_number_of_layers(prepared: Prepared, sample: str) -> None:
    """The control that must fail: claa over 3 layers in place of 4 keeps other tokens of every prompt."""
    done = prepared.prefilled(sample, "claa_20", n=3)
    assert done.kept.tolist() != theirs(sample)["claa_20_kept"].tolist()


@pytest.mark.parametrize(
    "change", [{"smoothed": "scores"}, {"extra_query": False}, {"kernel": 13}, {"chunk": 32}], ids=str
)
@pytest.mark.parametrize("sample", SPECULATED)
def test_the_check_would_notice_another_form_of_speculation(
    prepared: Prepared, sample: str, change: dict[str, Any]
) -> None:
    """The control that must fail: the source's settings, and smoothing last, keep other tokens."""
    done = prepared.prefilled(sample, SPECULATIVE, **change)
    assert done.kept.tolist() != theirs(sample)[f"{SPECULATIVE}_kept"].tolist()
