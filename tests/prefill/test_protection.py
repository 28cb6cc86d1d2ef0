"""What always stays: the last tokens, or these and all that is not context; every engine keeps it, and a job's own places."""

from dataclasses import replace
from itertools import product

import pytest
import torch

from tests.prefill.cases import ENGINES, TOKENS, answered, layers_of, model_of, prompt
from tokenrank.prefill.engine import Job
from tokenrank.prefill.protection import check_budget, check_protect, kept_in_all, protected_places
from tokenrank.tasks.task import Prompt

PROMPT = Prompt(
    "one", "mine", input_ids=tuple(range(20)), max_new_tokens=1, context=range(3, 15), question=range(15, 18)
)
PRUNED = sorted(set(ENGINES) - {"full"})


def test_the_window_is_the_last_tokens() -> None:
    found = protected_places(PROMPT, 4, "window")
    assert found.tolist() == [16, 17, 18, 19]
    assert found.dtype == torch.int64
    assert protected_places(replace(PROMPT, context=None), 4, "window").tolist() == [16, 17, 18, 19]


def test_the_frame_is_all_that_is_not_context_and_the_window() -> None:
    assert protected_places(PROMPT, 4, "frame").tolist() == [0, 1, 2, 15, 16, 17, 18, 19]
    assert protected_places(PROMPT, 7, "frame").tolist() == [0, 1, 2, 13, 14, 15, 16, 17, 18, 19]


def test_nothing_is_protected_by_a_window_of_0() -> None:
    found = protected_places(PROMPT, 0, "window")
    assert found.tolist() == []
    assert found.dtype == torch.int64
    assert protected_places(PROMPT, 0, "frame").tolist() == [0, 1, 2, 15, 16, 17, 18, 19]


def test_a_window_longer_than_the_prompt_is_the_prompt() -> None:
    assert protected_places(PROMPT, 30, "window").tolist() == list(range(20))


def test_a_frame_without_a_known_context_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^prefill\.protect is frame, and the context of prompt one of mine is not known"
    ):
        protected_places(replace(PROMPT, context=None), 4, "frame")


def test_another_value_is_refused() -> None:
    check_protect("frame")
    for read in (lambda: check_protect("all"), lambda: protected_places(PROMPT, 4, "all")):
        with pytest.raises(ValueError, match=r"^prefill\.protect is 'all', must be window or frame$"):
            read()


def test_another_budget_is_refused() -> None:
    check_budget("beside")
    for read in (lambda: check_budget("apart"), lambda: kept_in_all(20, 10, 1, "apart")):
        with pytest.raises(ValueError, match=r"^prefill\.budget is 'apart', must be within or beside$"):
            read()


def test_within_the_budget_protected_tokens_count_and_beside_they_do_not() -> None:
    for rate, protected in product((1, 10, 33.3, 100), range(20)):
        others = 20 - protected
        assert kept_in_all(rate, 20, protected, "within") == max(1, int(rate * 20 / 100))
        assert kept_in_all(rate, 20, protected, "beside") == protected + max(1, int(rate * others / 100))
        assert kept_in_all(rate, 20, protected, "beside") <= 20
    assert kept_in_all(100, 20, 20, "beside") == 20


def job(engine: str, kept: int, protected: torch.Tensor | None) -> Job:
    return Job(model_of("llama"), ENGINES[engine][1], prompt(), kept, answer_tokens=6, protected=protected)


@pytest.mark.parametrize("engine", PRUNED)
def test_an_engine_keeps_its_window_and_the_places_of_the_job(engine: str) -> None:
    own, heuristic = ENGINES[engine]
    own = own.resolved(heuristic, layers_of("llama"))
    worst = torch.tensor(
        [each for each in range(TOKENS - 4) if each not in own.prefill(job(engine, 30, None)).kept][:4]
    )
    done = own.prefill(job(engine, 12, worst))
    assert len(done.kept) == 12
    assert {*worst.tolist(), *range(TOKENS - 4, TOKENS)} < set(done.kept.tolist())
    assert not {*worst.tolist()} & set(own.prefill(job(engine, 12, None)).kept.tolist())


@pytest.mark.parametrize("engine", PRUNED)
def test_to_protect_the_window_twice_changes_no_bit(engine: str) -> None:
    own, heuristic = ENGINES[engine]
    own = own.resolved(heuristic, layers_of("llama"))
    twice = own.prefill(job(engine, 12, torch.arange(TOKENS - 4, TOKENS)))
    once = own.prefill(job(engine, 12, None))
    assert torch.equal(twice.kept, once.kept)
    assert torch.equal(twice.logits, once.logits)
    assert torch.equal(answered(twice)[1], answered(once)[1])


@pytest.mark.parametrize("engine", PRUNED)
def test_no_more_kept_than_protected_is_an_error(engine: str) -> None:
    own, heuristic = ENGINES[engine]
    own = own.resolved(heuristic, layers_of("llama"))
    with pytest.raises(
        ValueError, match="kept is 12, must be above the 12 protected tokens and at most the prompt's 40"
    ):
        own.prefill(job(engine, 12, torch.arange(8)))
