"""The controls drive every engine: the random one keeps token 0 and what is protected, and at 100 % nothing is lost."""

import pytest
import torch

from tests.prefill.cases import ENGINES, TOKENS, layers_of, model_of, prefilled, prompt
from tokenrank.heuristics.controls import Control, Random, Recency, Sinks
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.prefill.engine import Job

PRUNED = sorted(set(ENGINES) - {"full"})


@pytest.mark.parametrize("engine", PRUNED)
@pytest.mark.parametrize("control", [Control(), Random(), Recency(), Sinks()], ids=lambda each: type(each).__name__)
def test_every_control_drives_every_engine(engine: str, control: Heuristic) -> None:
    own = ENGINES[engine][0]
    done, whole = prefilled("llama", own, control, 12), prefilled("llama", own, control, TOKENS)
    assert len(done.kept) == 12
    assert whole.kept.tolist() == list(range(TOKENS))
    assert torch.allclose(whole.logits, prefilled("llama", *ENGINES["full"], TOKENS).logits, atol=1e-4)


@pytest.mark.parametrize("engine", PRUNED)
def test_what_recency_and_sinks_keep(engine: str) -> None:
    own = ENGINES[engine][0]  # its window is 4
    assert prefilled("llama", own, Recency(), 12).kept.tolist() == list(range(TOKENS - 12, TOKENS))
    assert prefilled("llama", own, Sinks(), 12).kept.tolist() == [*range(8), *range(TOKENS - 4, TOKENS)]


@pytest.mark.parametrize("engine", PRUNED)
def test_the_random_control_keeps_the_first_token_and_what_is_protected(engine: str) -> None:
    model, layers, protected = model_of("llama"), layers_of("llama"), torch.tensor([2, 3, 20])
    always = {0, 2, 3, 20, *range(TOKENS - 4, TOKENS)}
    kept: list[set[int]] = []
    noise: list[set[int]] = []
    for seed in range(12):
        for control, found in ((Control(seed), kept), (Random(seed), noise)):
            own = ENGINES[engine][0].resolved(control, layers)
            job = Job(model, control, prompt(), 12, answer_tokens=1, protected=protected)
            found.append(set(own.prefill(job).kept.tolist()))
    assert all(always < each for each in kept)
    assert set.intersection(*kept) == always  # all else is left to chance
    assert set.intersection(*noise) == always - {0}
