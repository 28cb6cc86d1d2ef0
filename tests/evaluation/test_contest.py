"""A contest: what each entry gives alone, together and one by one, in groups of any size; what fails, fails alone."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch

from tests.evaluation.contests import CONTESTANTS, RATES, begun, close, contest, contestants, given, noting, raising
from tests.prefill.cases import ANSWER, layers_of, model_of
from tokenrank.capture.decoding import Decoding
from tokenrank.capture.operations import counted
from tokenrank.capture.rows import Rows
from tokenrank.capture.together import can_run_together
from tokenrank.evaluation.contest import Contest
from tokenrank.evaluation.shared_prompt import SharedPrompt
from tokenrank.metrics.answer_loss import FullAnswer
from tokenrank.prefill.contestant import Contestant
from tokenrank.prefill.draft import Draft
from tokenrank.prefill.engine import Job, Prefilled
from tokenrank.prefill.layerwise import Layerwise
from tokenrank.prefill.precomputed import Precomputed
from tokenrank.prefill.restart import Restart

SOME = ("llama", "gemma2", "qwen3", "gpt_oss", "deepseek_v3 (yarn)", "bamba (hybrid)")
LOST = ("logprob", "loss", "loss_clipped", "kl", "same_token", "departure")
FEW = ("claa", "fastkv", "gemfilter", "speculative")


@cache
def few(*, together: bool = True) -> dict[tuple[str, float], dict[str, Any]]:
    """Four contestants of four engines, undisturbed."""
    return contest("llama", model_of("llama"), FEW, together=together)


def lost(found: dict[str, Any]) -> dict[str, float]:
    """The measures of fidelity."""
    return {name: found[name] for name in LOST}


@pytest.mark.parametrize("architecture", SOME)
def test_an_entry_is_what_its_engine_gives_alone(architecture: str) -> None:
    names = CONTESTANTS if architecture == "llama" else (*FEW, "oracle", "random@gemfilter")
    model, who = model_of(architecture), contestants(layers_of(architecture), names)
    made = begun(model, who)
    truth = made._shared._truth
    found = made.run(who, RATES, lambda: None)
    assert [(each.contestant.name, each.rate) for each in found] == [(name, rate) for rate in RATES for name in names]
    ids = torch.tensor(given().input_ids)
    for each in found:
        ranking = truth if isinstance(each.contestant.ranker, Precomputed) else each.contestant.ranker
        kept = {20.0: 8, 45.0: 18}[each.rate]
        job = Job(model, ranking, ids, kept, answer_tokens=ANSWER, decoding=Decoding.of(model))
        with counted() as spent:
            alone = each.contestant.engine.prefill(job)
        assert each.error is None, each.label
        assert each.found["kept"] == alone.kept.tolist(), each.label
        assert len(each.found["kept"]) == kept
        assert each.found["flops"] == spent.total, each.label
        assert each.found["kv_bytes"] == alone.kv_bytes(), each.label
        assert each.found["answer_ids"] == alone.answer(ANSWER), each.label


@pytest.mark.parametrize("architecture", SOME)
def test_together_is_one_by_one(architecture: str) -> None:
    model = model_of(architecture)
    names = (*FEW, "oracle", "random@gemfilter")
    together, alone = (contest(architecture, model, names, together=each) for each in (True, False))
    assert len({tuple(each["answer_ids"]) for each in alone.values()}) > 2  # they do not all answer alike
    for name, each in alone.items():
        same = {key: value for key, value in each.items() if key not in LOST}
        assert same == {key: value for key, value in together[name].items() if key not in LOST}, name
        assert close(lost(together[name]), lost(each), 1e-4), name


def test_rows_are_laid_together_and_not_where_it_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    of_group = noting(sizes, lambda _contest, held: len(held))
    monkeypatch.setattr(Contest, "_measure_together", of_group(Contest._measure_together))
    model = model_of("llama")
    contest("llama", model, FEW, together=True)
    assert sizes == [2 * len(FEW)]
    contest("llama", model, FEW, together=False)
    assert sizes == [2 * len(FEW)]
    contest("bamba (hybrid)", model_of("bamba (hybrid)"), FEW, together=True)
    assert sizes == [2 * len(FEW)]  # its layers hold a state of all tokens together


@pytest.mark.parametrize("memory", [1, 12_000, 30_000])  # one and a few prefills at a time
def test_entries_are_the_same_in_groups_of_any_size(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model, sizes, names = model_of("llama"), list[int](), (*FEW, "oracle@gemfilter", "random")
    of_group = noting(sizes, lambda contest: len(contest._held))
    monkeypatch.setattr(Contest, "_finish", of_group(Contest._finish))
    whole = contest("llama", model, names)
    assert sizes == [12]
    sizes.clear()
    parts = contest("llama", model, names, memory=memory)
    assert sum(sizes) == 12
    assert len(sizes) > 2
    assert (memory == 1) == (max(sizes) == 1)
    assert parts.keys() == whole.keys()
    for name, each in whole.items():
        assert parts[name]["answer_ids"] == each["answer_ids"], name
        assert close(lost(parts[name]), lost(each), 1e-4), name


def test_a_row_with_another_rows_cache_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    model, own = model_of("llama"), Rows.__init__
    right = few()

    def swapped(self: Rows, runs: Any, positions: Any) -> None:
        own(self, [runs[1], runs[0], *runs[2:]], positions)

    monkeypatch.setattr(Rows, "__init__", swapped)
    wrong = contest("llama", model, FEW)
    changed = {name for name, each in right.items() if not close(lost(wrong[name]), lost(each), 1e-3)}
    assert changed == {("claa", 20.0), ("fastkv", 20.0)}  # the first two that were prefilled


def test_a_row_at_another_position_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    model, own = model_of("llama"), Rows.__init__
    right = few()
    monkeypatch.setattr(Rows, "__init__", lambda self, runs, at: own(self, runs, [at[0] + 1, *at[1:]]))
    wrong = contest("llama", model, FEW)
    assert {name for name, each in right.items() if not close(lost(wrong[name]), lost(each), 1e-4)} == {("claa", 20.0)}


def test_contestants_with_other_select_layers_are_what_they_are_alone() -> None:
    layers, model = layers_of("llama"), model_of("llama")
    at = {"claa": 0, "fastkv": 1, "tova": 2, "gemfilter": 2, "oracle": 1, "oracle@claa": 0}
    engines: dict[str, Any] = {name: CONTESTANTS[name][1] for name in at}
    who = [
        replace(each, engine=replace(engines[each.name], select_layer=at[each.name]).resolved(each.ranker, layers))
        for each in contestants(layers, at)
    ]
    found = begun(model, who).run(who, RATES, lambda: None)
    for each in found:
        own = begun(model, [each.contestant]).run([each.contestant], [each.rate], lambda: None)[0]
        assert {name: value for name, value in each.found.items() if name not in LOST} == {
            name: value for name, value in own.found.items() if name not in LOST
        }, each.label
        assert close(lost(each.found), lost(own.found), 1e-4), each.label
    assert len({tuple(each.found["kept"]) for each in found if each.rate == 20}) > 3


@pytest.mark.parametrize("error", [MemoryError("no room"), torch.OutOfMemoryError("CUDA out of memory. Tried much")])
@pytest.mark.parametrize("engine", [Layerwise, Restart, Draft])
def test_memory_that_lacks_in_one_second_half_costs_one_row(
    engine: Any, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, whose = model_of("llama"), {Layerwise: "fastkv", Restart: "gemfilter", Draft: "speculative"}[engine]
    right = few()
    ranking = CONTESTANTS[whose][2]
    lacks = raising(error, lambda _self, job, *_: job.heuristic is ranking and job.kept == 18)
    monkeypatch.setattr(engine, "prefill_after", lacks(engine.prefill_after))
    found = contest("llama", model, FEW)
    assert found.pop((whose, 45.0)) == {"error": f"out of memory: {error}"}
    for name, each in found.items():
        assert each["answer_ids"] == right[name]["answer_ids"]
        assert close(lost(each), lost(right[name]), 1e-4)


def test_where_rows_cannot_be_laid_together_each_is_tried_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = model_of("llama")
    right = few(together=False)

    def broken(self: Rows, *_: Any) -> Any:
        raise torch.OutOfMemoryError("no room for all")

    monkeypatch.setattr(Rows, "logits_of", broken)
    with caplog.at_level("DEBUG", "tokenrank"):
        assert contest("llama", model, FEW) == right
    assert "8 answers together, prompt one" in caplog.text


def test_of_those_tried_alone_only_what_fails_again_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of("llama")
    right = few(together=False)
    assert can_run_together(model)  # asked before Rows is broken: the answer is kept
    fails = raising(RuntimeError("never together"), lambda *_: True)
    monkeypatch.setattr(Rows, "__init__", fails(Rows.__init__))
    ranking, calls = CONTESTANTS["fastkv"][2], []

    def second(_self: Any, job: Job, *_: Any) -> bool:
        if job.heuristic is ranking and job.kept == 8:
            calls.append(job)
        return len(calls) == 2 and calls[-1] is job

    again = raising(MemoryError("no room now"), second)
    monkeypatch.setattr(Layerwise, "prefill_after", again(Layerwise.prefill_after))
    found = contest("llama", model, FEW)
    assert found.pop(("fastkv", 20.0)) == {"error": "out of memory: no room now"}
    assert found == {name: each for name, each in right.items() if name != ("fastkv", 20.0)}


@pytest.mark.parametrize("together", [True, False])
def test_what_lacks_memory_where_the_rest_of_a_prompt_is_read_is_tried_alone(
    together: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, own, calls = few(together=together), SharedPrompt.read_on, list[Prefilled]()

    def read_on(self: SharedPrompt, done: Prefilled) -> Prefilled:
        calls.append(done)
        if len(calls) == 2:
            raise torch.OutOfMemoryError("no room for the question")
        return own(self, done)

    monkeypatch.setattr(SharedPrompt, "read_on", read_on)
    found = contest("llama", model_of("llama"), FEW, together=together)
    assert len(calls) == len(right) + 2  # the full prefill, and the one again
    assert found.keys() == right.keys()
    for name, each in found.items():
        assert each["answer_ids"] == right[name]["answer_ids"]
        assert close(lost(each), lost(right[name]), 1e-4)


@pytest.mark.parametrize("together", [True, False])
def test_logits_that_are_not_finite_cost_their_row(together: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    right, own = few(together=together), SharedPrompt.prefilled

    def prefilled(self: SharedPrompt, who: Contestant, rate: float) -> Prefilled:
        done = own(self, who, rate)
        return replace(done, logits=done.logits * float("nan")) if (who.name, rate) == ("gemfilter", 20.0) else done

    monkeypatch.setattr(SharedPrompt, "prefilled", prefilled)
    found = contest("llama", model_of("llama"), FEW, together=together)
    assert found.pop(("gemfilter", 20.0))["error"].startswith("ValueError: the log-probability under the pruned cache")
    assert found == {name: each for name, each in right.items() if name != ("gemfilter", 20.0)}


def test_a_row_that_fails_among_others_is_tried_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    right, losses = few(), list[int]()
    third = raising(torch.OutOfMemoryError("no room for float32"), lambda *_: len(losses) == 3)
    monkeypatch.setattr(FullAnswer, "loss_of", noting(losses, lambda *_: 1)(third(FullAnswer.loss_of)))
    found = contest("llama", model_of("llama"), FEW)
    assert len(losses) == 2 * len(FEW) + 1
    for name, each in right.items():
        assert found[name]["answer_ids"] == each["answer_ids"]
        assert close(lost(found[name]), lost(each), 1e-4), name


def test_a_prefill_that_fits_without_those_that_are_held_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    right, groups, names = few(), list[int](), list[int]()
    made = begun(model_of("llama"), contestants(layers_of("llama"), FEW))
    lacks = raising(MemoryError("no room beside three"), lambda *_: len(made._held) == 3)
    monkeypatch.setattr(SharedPrompt, "prefilled", noting(names, lambda *_: 1)(lacks(SharedPrompt.prefilled)))
    of_group = noting(groups, lambda contest: len(contest._held))
    monkeypatch.setattr(Contest, "_finish", of_group(Contest._finish))
    found = made.run(contestants(layers_of("llama"), FEW), RATES, lambda: None)
    assert groups == [3, 3, 2]
    assert len(names) == 8 + 2
    for each in found:
        assert each.error is None
        assert each.found["answer_ids"] == right[each.contestant.name, each.rate]["answer_ids"]


def test_a_bound_that_cannot_read_the_truth_costs_its_rows_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    model, names = model_of("llama"), ("claa", "oracle")
    right = contest("llama", model, names)
    lacks = raising(MemoryError("no room"), lambda *_: True)
    monkeypatch.setattr(Precomputed, "score", lacks(Precomputed.score))
    found = contest("llama", model, names)
    assert [found.pop(("oracle", rate)) for rate in RATES] == [{"error": "out of memory: no room"}] * len(RATES)
    assert {name: each["answer_ids"] for name, each in found.items()} == {
        name: each["answer_ids"] for name, each in right.items() if name[0] == "claa"
    }
