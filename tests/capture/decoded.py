"""What decoding is tried on: a tiny model with settings of its generation config, read plainly and by every engine."""

import copy
from functools import cache
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tests.prefill.cases import ENGINES, layers_of
from tokenrank.capture.reading import read
from tokenrank.models.architectures import tiny_of
from tokenrank.prefill.engine import Job, Prefilled

TOKENS, ANSWER = 30, 8
PLAIN = [41, 21, 20, 59, 53, 49, 5, 50]  # the answer without any setting; a test below holds it against generate()


def prompt(tokens: int = TOKENS) -> Tensor:
    return torch.randint(0, 64, (tokens,), generator=torch.Generator().manual_seed(1))


def with_settings(**settings: Any) -> PreTrainedModel:
    model = copy.deepcopy(plain_model())
    for name, value in settings.items():
        assert hasattr(model.generation_config, name)
        setattr(model.generation_config, name, value)
    return model


@cache
def plain_model() -> PreTrainedModel:
    return tiny_of("llama")


def generated(model: PreTrainedModel, tokens: int = TOKENS, **settings: Any) -> list[int]:
    """The answer of a model that nobody watched."""
    asked = {"do_sample": False, "max_new_tokens": ANSWER} | settings
    unwatched: Any = copy.deepcopy(model)
    ids = prompt(tokens)
    return list(unwatched.generate(ids[None], attention_mask=torch.ones_like(ids)[None], **asked)[0, tokens:].tolist())


def prefilled(model: PreTrainedModel, engine: str, kept: int, **settings: Any) -> Prefilled:
    own, heuristic = ENGINES[engine]
    chosen = own if heuristic is None else own.resolved(heuristic, layers_of("llama"))
    return chosen.prefill(Job(model, heuristic, prompt(), kept, answer_tokens=ANSWER, **settings))


def answered(model: PreTrainedModel, way: str, kept: int = TOKENS) -> list[int]:
    """The answer by an engine, or by ``read``: generated (``reading``) or given (``reference``)."""
    if way in ENGINES:
        return prefilled(model, way, kept).answer(ANSWER)
    given = [1, 2, 3] if way == "reference" else None
    return list(read(model, prompt(), lambda _: None, max_new_tokens=ANSWER, answer_ids=given).answer_ids.tolist())
