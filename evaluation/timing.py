"""Measures one contestant at one keep rate on one prompt, for evaluation=ttft."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from transformers import PreTrainedModel

from tokenrank.capture.decoding import Decoding
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.operations import counted
from tokenrank.evaluation.evaluation import Row
from tokenrank.evaluation.failures import failure
from tokenrank.evaluation.peak_memory import peak_bytes, start_peak
from tokenrank.prefill.contestant import Contestant
from tokenrank.prefill.engine import Job, Prefilled
from tokenrank.prefill.protection import WINDOW, WITHIN, kept_in_all, protected_places
from tokenrank.tasks.task import Prompt


@dataclass
class Timed:
    """A contestant at a keep rate on one prompt, and its measured values."""

    contestant: Contestant
    keep: float  # keep rate in percent
    job: Job
    protect: str | None = None  # what always stays, as in runs.parquet; None for the full prefill
    budget: str | None = None  # whether that counts in the keep rate; None for the full prefill
    facts: dict[str, float] = field(default_factory=dict)
    kept: list[int] | None = None  # positions in the prompt of the tokens that every layer has seen
    seconds: list[float] = field(default_factory=list)  # of the timed rounds
    error: str | None = None

    @property
    def heuristic(self) -> str | None:
        """Name of the heuristic; None for the full prefill."""
        return None if self.contestant.heuristic is None else self.contestant.name

    @property
    def label(self) -> str:
        """Its name in messages."""
        return self.contestant.name

    def prefill(self, *, clock: bool = False) -> Prefilled:
        """Reads the prompt; ``clock`` makes the seconds of choosing exact on a GPU, which slows the rest."""
        return self.contestant.engine.prefill(replace(self.job, clock=clock))

    def runs(self) -> Iterator[Row]:
        """Rows of runs.parquet: one a timed repeat, or a single one with the error."""
        whose = {"engine": self.contestant.engine_name, "heuristic": self.heuristic, "keep": self.keep}
        common = (
            whose
            | {"protect": self.protect, "budget": self.budget, "kept_tokens": self.job.kept}
            | self.facts_of_runs()
        )
        if self.error is not None:
            yield common | {"status": "failed", "error": self.error}
            return
        for repeat, seconds in enumerate(self.seconds):
            kept = {"kept": self.kept} if repeat == 0 and self.heuristic is not None else {}
            yield common | kept | {"repeat": repeat, "prefill_seconds": seconds, "status": "ok"}

    def facts_of_runs(self) -> dict[str, int]:
        """The measured numbers that have a column in runs.parquet."""
        return {name: int(self.facts[name]) for name in ("flops", "kv_bytes", "peak_bytes") if name in self.facts}


Measure = Callable[[Timed, Prompt], None]


def timed_contestants(
    contestants: Sequence[Contestant],
    model: PreTrainedModel,
    prompt: Prompt,
    keep: Sequence[float],
    protect: str = WINDOW,
    budget: str = WITHIN,
) -> list[Timed]:
    """The full prefill once, then every other contestant at every keep rate; ``protect`` as for ``protected_places``, ``budget`` as for ``kept_in_all``."""
    ids, answer_tokens = torch.tensor(prompt.input_ids), prompt.max_new_tokens
    decoding = Decoding.of(model, ends=prompt.stop_ids, not_first=prompt.not_first_ids)

    def at(contestant: Contestant, rate: float) -> Timed:
        full = contestant.heuristic is None
        protected = None if full else protected_places(prompt, contestant.engine.window, protect)
        kept = len(ids) if protected is None else kept_in_all(rate, len(ids), len(protected), budget)
        job = Job(model, contestant.heuristic, ids, kept, answer_tokens, decoding=decoding, protected=protected)
        return Timed(contestant, rate, job, protect=None if full else protect, budget=None if full else budget)

    return [at(contestants[0], 100.0), *(at(each, rate) for rate in keep for each in contestants[1:])]


def guarded(each: Timed, measure: Measure, prompt: Prompt) -> None:
    """Runs one measurement; its error is stored in ``each.error``, and its memory is released."""
    try:
        measure(each, prompt)
    except Exception as error:  # whatever it was: the other contestants are still worth their time
        each.error = failure(error, f"{each.label} at {each.keep:g} %, prompt {prompt.id}")


def count(each: Timed, prompt: Prompt) -> None:
    """Operations, bytes and kept tokens; then tokens a second of decoding."""
    model_layers(each.job.model)  # runs one token the first time, which must not be counted
    with counted() as flops:
        done = each.prefill()
    each.facts |= {"flops": flops.total, "kv_bytes": done.kv_bytes()}
    each.kept = done.kept.tolist()
    answer = each.job.rules.begin(each.job.model, each.job.input_ids, prompt.max_new_tokens + 1)
    answer.add(done.logits)
    started, untimed = time.perf_counter(), min(1, prompt.max_new_tokens - 1)
    for step in range(prompt.max_new_tokens):
        if step == untimed:  # the first token includes start-up costs
            started = time.perf_counter()
        answer.add(done.decode(answer.tokens[-1], step))
    each.facts["decode_tokens_per_second"] = (prompt.max_new_tokens - untimed) / (time.perf_counter() - started)


def look_at_memory(each: Timed, _prompt: Prompt) -> None:
    """Peak memory, and the share of the time that goes into choosing tokens."""
    start_peak(each.job.model)
    started = time.perf_counter()
    done = each.prefill(clock=True)
    seconds = time.perf_counter() - started
    peak = peak_bytes(each.job.model)
    each.facts["choosing_share"] = done.choosing_seconds / seconds
    if peak is not None:
        each.facts["peak_bytes"] = peak


def time_once(each: Timed, _prompt: Prompt) -> None:
    """Seconds of one prefill."""
    started = time.perf_counter()
    done = each.prefill()
    each.seconds.append(time.perf_counter() - started)
    del done  # after the clock was read: releasing memory is not timed
