"""Engines that run by themselves on one prompt: what each keeps, says and costs."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Self
from unittest.mock import patch

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tests.sweep.readings import ANSWER
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.operations import counted
from tokenrank.heuristics.claa import CLAA
from tokenrank.heuristics.fastkv import FastKV
from tokenrank.heuristics.gemfilter import GemFilter
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.heuristics.speculative import Speculative
from tokenrank.prefill.draft import Draft
from tokenrank.prefill.engine import Engine, Full, Job, Prefilled
from tokenrank.prefill.layerwise import Layerwise
from tokenrank.prefill.restart import Restart

KEPT, WINDOW = 12, 4
ENGINES: dict[str, tuple[Engine, Heuristic]] = {
    "full": (Full(), FastKV(window=WINDOW)),
    "claa": (Layerwise(window=WINDOW), CLAA(window=WINDOW, n=2)),
    "fastkv": (Layerwise(window=WINDOW), FastKV(window=WINDOW)),
    "gemfilter": (Restart(window=WINDOW), GemFilter()),
    "speculative": (Draft(window=WINDOW), Speculative(look_ahead=3, kernel=3)),
}


@dataclass(frozen=True)
class Outcome:
    """Of a prefill and the answer that was decoded from it, token by token."""

    kept: list[int]  # places in the prompt
    kv_bytes: int  # before the answer
    answer: list[int]
    logits: Tensor  # (answer tokens, vocabulary), from which each token was chosen


@dataclass(frozen=True)
class Alone:
    """An engine, resolved for a model, and what came of it."""

    job: Job
    heuristic: Heuristic
    engine: Engine
    outcome: Outcome
    operations: int


class _Zero:
    """In place of the counter of operations."""

    def __init__(self, **_settings: Any) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def get_total_flops(self) -> int:
        """No operations."""
        return 0


def uncounted() -> AbstractContextManager[Any]:
    """Within the block operations count as 0, which halves the time of an engine."""
    return patch("tokenrank.capture.operations.FlopCounterMode", _Zero)


def resolved(name: str, model: PreTrainedModel) -> tuple[Engine, Heuristic]:
    """One of ENGINES, for this model; raises ValueError as ``Engine.resolved``."""
    engine, heuristic = ENGINES[name]
    return engine.resolved(heuristic, model_layers(model)), heuristic


def alone(name: str, model: PreTrainedModel, ids: Tensor) -> Alone:
    """Runs one of ENGINES on a prompt; raises what it raises."""
    engine, heuristic = resolved(name, model)
    job = Job(model, heuristic, ids, KEPT, answer_tokens=ANSWER)
    with counted() as spent:
        done = engine.prefill(job)
    return Alone(job, heuristic, engine, outcome(done), spent.total)


def outcome(done: Prefilled, tokens: int = ANSWER) -> Outcome:
    """Decodes an answer of so many tokens from a prefill."""
    held, answer, logits = done.kv_bytes(), [done.first_token], [done.logits]
    while len(answer) < tokens:
        logits.append(done.decode(answer[-1], len(answer) - 1))
        answer.append(int(logits[-1].argmax()))
    return Outcome(done.kept.tolist(), held, answer, torch.stack(logits))
