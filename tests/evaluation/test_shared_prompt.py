"""A shared prompt: who reads it, the truth that drives the bounds, what always stays, and a reading that breaks."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from tests.doubles import Fails
from tests.evaluation.contests import WINDOW, contestants, given, noting, plan_of
from tests.evaluation.slow_fidelity import best
from tests.prefill.cases import ANSWER, layers_of, model_of
from tokenrank.capture import reading
from tokenrank.capture.decoding import greedy
from tokenrank.evaluation.fidelity import Fidelity
from tokenrank.evaluation.scoring import rank
from tokenrank.evaluation.shared_prompt import SharedPrompt
from tokenrank.prefill.contestant import Contestant
from tokenrank.prefill.engine import Full, Job
from tokenrank.prefill.layerwise import Layerwise
from tokenrank.records.store import Store

BOUNDS = ("oracle", "oracle@gemfilter", "oracle@speculative")


def shared(who: Sequence[Contestant], protect: str = "window", **settings: range) -> SharedPrompt:
    """The prompt of the tests, read for these."""
    return SharedPrompt(plan_of(who, Fidelity(keep=[20.0])), model_of("llama"), given(**settings), protect, ANSWER)


@pytest.mark.parametrize("name", BOUNDS)
def test_the_truth_drives_the_bound_of_every_engine(name: str) -> None:
    (who,) = contestants(layers_of("llama"), [name])
    made = plan_of([who], Fidelity(keep=[20.0]))
    truth = rank(model_of("llama"), given(), {}, made.oracles).truth.importance.expand(3, -1)
    scores = truth.double().mean(dim=0) if name == "oracle@speculative" else truth[1]
    assert shared([who]).prefilled(who, 20.0).kept.tolist() == best(scores, 8, WINDOW)


def test_the_full_prefill_is_the_one_that_was_read() -> None:
    found = shared(contestants(layers_of("llama"), ["claa"])).full()
    alone = Full().prefill(Job(model_of("llama"), None, torch.tensor(given().input_ids), 40, answer_tokens=ANSWER))
    assert torch.equal(found.logits, alone.logits)
    assert found.kv_bytes() == alone.kv_bytes()
    assert found.answer(ANSWER) == alone.answer(ANSWER)


def test_many_contestants_read_the_prompt_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    monkeypatch.setattr(reading, "_prefill", noting(read, lambda *_: 1)(reading._prefill))
    who = contestants(layers_of("llama"), ["claa", "fastkv", "tova", "gemfilter", "oracle", "random@claa"])
    made = shared(who)
    for each in who:
        for rate in (20.0, 45.0, 100.0):
            made.prefilled(each, rate)
    made.full()
    assert len(read) == 1


@pytest.mark.parametrize("name", ["fastkv", "gemfilter", "speculative", "oracle", "random"])
def test_what_is_protected_stays_within_the_keep_rate(name: str) -> None:
    (who,) = contestants(layers_of("llama"), [name])
    kept = shared([who], "frame", context=range(5, 34)).prefilled(who, 45.0).kept.tolist()
    assert len(kept) == 18
    assert {*range(5), *range(34, 40)} <= set(kept)
    other = shared([who], "window", context=range(5, 34)).prefilled(who, 45.0).kept.tolist()
    assert len(other) == 18
    assert other != kept


def test_a_heuristic_that_breaks_in_the_shared_reading_is_alone_in_it() -> None:
    layers = layers_of("llama")
    fails = Contestant("fails", Layerwise(window=WINDOW).resolved(Fails(tokens=40), layers), Fails(tokens=40))
    good = contestants(layers, ["fastkv"])[0]
    made = shared([fails, good])
    for rate in (20.0, 45.0):
        with pytest.raises(RuntimeError, match=r"^it broke$"):
            made.prefilled(fails, rate)
        assert made.prefilled(good, rate).kept.tolist() == shared([good]).prefilled(good, rate).kept.tolist()


def test_what_the_store_has_is_not_decoded_again_and_the_prompt_is_read_all_the_same(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    (who,) = contestants(layers_of("llama"), ["oracle"])
    made = replace(plan_of([who], Fidelity(keep=[20.0])), store=Store(tmp_path))  # type: ignore[arg-type]
    calls: list[int] = []
    monkeypatch.setattr(reading, "greedy", noting(calls, lambda *_: 1)(greedy))
    found = [SharedPrompt(made, model_of("llama"), given(), "window", ANSWER) for _ in range(2)]
    assert len(calls) == 1
    assert found[0].ranked.answer == found[1].ranked.answer
    first, second = (each.prefilled(who, 45.0) for each in found)
    assert torch.equal(first.logits, second.logits)
    assert first.operations == second.operations
