"""Restarted prefill: the answer is plain generation's of the kept tokens alone; the first reading stops where it may."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.prefill.cases import ANSWER, PLAIN, TOKENS, answered, layers_of, model_of, prefilled, prompt
from tests.prefill.test_layerwise import slow_best
from tokenrank.capture.reading import read
from tokenrank.heuristics.claa import CLAA
from tokenrank.heuristics.gemfilter import GemFilter
from tokenrank.heuristics.speculative import Speculative
from tokenrank.prefill.engine import Job
from tokenrank.prefill.restart import Restart


@pytest.mark.parametrize("architecture", [*PLAIN, "jamba (hybrid)", "qwen3_next (hybrid)"])
def test_the_answer_is_that_of_the_kept_tokens_alone(architecture: str) -> None:
    done = prefilled(architecture, Restart(window=4), GemFilter(), 12)
    model: Any = model_of(architecture)
    ids = prompt()[done.kept]
    plain = model.generate(ids[None], attention_mask=torch.ones(1, 12), max_new_tokens=ANSWER, do_sample=False)
    assert done.next_position == 12
    assert answered(done)[0] == plain[0, 12:].tolist()


@pytest.mark.parametrize("heuristic", [GemFilter(), CLAA(window=4, n=3)])
@pytest.mark.parametrize("select", [0, 1, 2])
def test_the_kept_tokens_are_the_best_at_the_layer(heuristic: GemFilter | CLAA, select: int) -> None:
    rows: list[Tensor] = []
    read(model_of("llama"), prompt(), lambda layer: rows.append(heuristic.score(layer)), max_new_tokens=1)
    wanted = slow_best(heuristic.combine(torch.stack(rows[: select + 1]))[-1], 12)
    assert prefilled("llama", Restart(window=4, select_layer=select), heuristic, 12).kept.tolist() == wanted


def test_the_first_reading_ends_before_the_layers_own_output() -> None:
    model = copy.deepcopy(model_of("llama"))
    seen: list[tuple[int, int]] = []
    for place, layer in enumerate(model.model.layers):
        layer.mlp.register_forward_pre_hook(lambda _, args, place=place: seen.append((place, args[0].shape[1])))
    engine = Restart(window=4, select_layer=1).resolved(GemFilter(), layers_of("llama"))
    engine.prefill(Job(model, GemFilter(), prompt(), 12, answer_tokens=1))
    assert seen == [(0, TOKENS), (0, 12), (1, 12), (2, 12)]


def test_only_the_kept_tokens_are_cached() -> None:
    done = prefilled("llama", Restart(window=4), GemFilter(), 12)
    assert done.kv_bytes() == 3 * 12 * 2 * 2 * 8 * 4
    assert done.choosing_seconds > 0


def test_a_ranking_that_comes_after_the_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="Speculative has no ranking of a layer's own, which the restart engine needs"):
        Restart().resolved(Speculative(), layers_of("llama"))
