"""One contestant at one keep rate: what is counted, looked at and timed; out of memory is recorded as that."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from tests.doubles import Fails
from tests.plans import plan
from tokenrank.evaluation.timing import Timed, count, guarded, look_at_memory, time_once, timed_contestants
from tokenrank.models.tiny import Tiny
from tokenrank.prefill.contestant import Contestant
from tokenrank.prefill.engine import Full, Job
from tokenrank.prefill.layerwise import Layerwise
from tokenrank.tasks.task import Prompt

PROMPT = Prompt("p", "test", tuple(range(60)), 3)
MODEL = Tiny(name="tiny").model()


def timed(heuristic: Fails | None = None) -> Timed:
    """The full prefill, or a ranking by position at 20 tokens."""
    job = Job(MODEL, heuristic, torch.arange(60), 60 if heuristic is None else 20, 3)
    if heuristic is None:
        return Timed(Contestant("full", Full(), None), 100.0, job)
    engine = Layerwise(window=4, select_layer=1, first_scored=1)
    return Timed(Contestant("fails", engine, heuristic), 33.4, job)


def test_the_full_prefill_comes_once_and_the_others_at_every_keep_rate() -> None:
    made = plan("task.lengths=[200]", evaluation="ttft")
    found = timed_contestants(made.contestants, MODEL, made.prompts[0], [20, 50])
    names = ["claa", "fastkv", "gemfilter"]
    assert [(each.label, each.keep) for each in found] == [("full", 100), *((n, k) for k in (20, 50) for n in names)]
    assert [each.job.kept for each in found] == [200, 40, 40, 40, 100, 100, 100]
    assert [each.heuristic for each in found][:2] == [None, "claa"]


def test_the_first_token_follows_the_rules_of_the_prompt() -> None:
    contestants = plan("task.lengths=[200]", evaluation="ttft").contestants
    plain = timed_contestants(contestants, MODEL, PROMPT, [50])[0].prefill().first_token
    banned = replace(PROMPT, not_first_ids=(plain,))
    assert timed_contestants(contestants, MODEL, banned, [50])[0].prefill().first_token != plain


def test_operations_bytes_and_kept_tokens_are_counted() -> None:
    full, pruned = timed(), timed(Fails())
    for each in (full, pruned):
        guarded(each, count, PROMPT)
        assert each.error is None
        assert each.facts["decode_tokens_per_second"] > 0
    assert pruned.facts["flops"] < full.facts["flops"]
    assert pruned.facts["kv_bytes"] == full.facts["kv_bytes"] / 3
    assert pruned.kept == list(range(40, 60))
    assert full.kept == list(range(60))


def test_one_answer_token_can_be_decoded() -> None:
    each = timed()
    guarded(each, count, Prompt("p", "test", tuple(range(60)), 1))
    assert each.error is None
    assert each.facts["decode_tokens_per_second"] > 0


def test_memory_and_the_share_of_choosing_are_looked_at() -> None:
    full, pruned = timed(), timed(Fails())
    for each in (full, pruned):
        guarded(each, look_at_memory, PROMPT)
    assert full.facts["choosing_share"] == 0
    assert 0 < pruned.facts["choosing_share"] < 1


def test_each_round_has_its_seconds() -> None:
    each = timed()
    for _ in range(3):
        guarded(each, time_once, PROMPT)
    assert len(each.seconds) == 3
    assert all(seconds > 0 for seconds in each.seconds)
    rows = list(each.runs())
    assert [row["prefill_seconds"] for row in rows] == each.seconds
    assert [row["repeat"] for row in rows] == [0, 1, 2]
    assert not any("kept" in row for row in rows)  # the full prefill chooses nothing


def test_kept_tokens_stand_once_beside_the_first_repeat() -> None:
    each = timed(Fails())
    for measure in (count, time_once, time_once):
        guarded(each, measure, PROMPT)
    first, second = each.runs()
    assert first["kept"] == list(range(40, 60))
    assert "kept" not in second
    assert first["flops"] == second["flops"] == each.facts["flops"]
    assert (first["engine"], first["heuristic"], first["kept_tokens"]) == ("layerwise", "fails", 20)


@pytest.mark.parametrize(
    ("raised", "recorded"),
    [
        (MemoryError("no room"), "out of memory: no room"),
        (
            torch.OutOfMemoryError("CUDA out of memory.\n  Tried to allocate"),
            "out of memory: CUDA out of memory. Tried to allocate",
        ),
        (torch.OutOfMemoryError("x" * 300), "out of memory: " + "x" * 200),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory"),
            "out of memory: RuntimeError: DefaultCPUAllocator: can't allocate memory",
        ),
        (ValueError("wrong"), "ValueError: wrong"),
    ],
)
def test_what_is_raised_is_recorded_in_one_row(raised: Exception, recorded: str) -> None:
    def breaks(_each: Timed, _prompt: Prompt) -> None:
        raise raised

    each = timed(Fails())
    guarded(each, time_once, PROMPT)
    guarded(each, breaks, PROMPT)
    assert each.error == recorded
    rows = list(each.runs())
    assert [(row["status"], row["error"]) for row in rows] == [("failed", recorded)]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_an_interruption_is_no_measurement(stop: Callable[[], BaseException]) -> None:
    def breaks(_each: Timed, _prompt: Prompt) -> None:
        raise stop()

    with pytest.raises((KeyboardInterrupt, SystemExit)):
        guarded(timed(), breaks, PROMPT)
