"""How long until the first token? Engines in turn, round after round, so that what slows the machine hits all alike."""

import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm
from transformers import PreTrainedModel

from tokenrank.evaluation.driving import Driven, check_room, driven, keep_rates, refuse_rankings
from tokenrank.evaluation.evaluation import Evaluation
from tokenrank.evaluation.flops import counted
from tokenrank.evaluation.folder import METRIC_COLUMNS, RUN_COLUMNS, SAMPLE_COLUMNS, begin, facts, reason, table
from tokenrank.evaluation.memory import peak_bytes, start_peak
from tokenrank.evaluation.preparation import Experiment
from tokenrank.metrics.metric import tokens_kept
from tokenrank.prefill.engine import Full, Job, Prefilled
from tokenrank.records.schema import FULL
from tokenrank.records.writing import write_table
from tokenrank.tasks.task import Prompt

UNTIMED = 2  # rounds before the timed ones: one counts operations and decodes, one looks at memory and at choosing


@dataclass
class Contender:
    """An engine at a keep rate on one prompt, and what was measured of it."""

    engine: str
    keep: float
    kept_tokens: int
    model: PreTrainedModel
    prefill: Callable[[bool], Prefilled]  # (exact clock) -> the prompt, read
    facts: dict[str, float] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    error: str | None = None


@dataclass(frozen=True)
class TimeToFirstToken(Evaluation):
    """Seconds from the prompt's tokens to the first answer token on the host, choosing and any draft model included.

    Loading and tokenising are not. Each round runs every engine once, in an order that moves on by one each round; ratios are taken
    within a round.
    """

    repeats: int = 5  # timed rounds

    def __post_init__(self) -> None:
        if self.repeats < 1:
            raise ValueError(f"repeats is {self.repeats}, must be at least 1")

    def check(self, experiment: Experiment) -> None:
        """Raises ValueError for engines and keep rates that cannot be."""
        refuse_rankings(experiment)
        check_room(experiment, driven(experiment, {}), keep_rates(experiment))

    def run(self, experiment: Experiment, folder: Path) -> int:
        """Fills runs.parquet, samples.parquet, and metrics.parquet. What runs out of memory is recorded so."""
        begin(experiment, folder)
        engines, rates = driven(experiment, {}), keep_rates(experiment)
        samples, runs, metrics = [], [], []
        rounds = (UNTIMED + self.repeats) * (1 + len(engines) * len(rates))
        total = sum(len(prompt.input_ids) for prompt in experiment.prompts) * rounds
        with tqdm(total=total, unit=" tokens", unit_scale=True, smoothing=0.1, dynamic_ncols=True) as bar:
            for prompt in experiment.prompts:
                contenders = _contenders(experiment, prompt, engines, rates)
                self._measure(contenders, prompt, bar)
                samples.append(facts(prompt) | _status(contenders))
                runs += [row for each in contenders for row in _rows(prompt, each)]
                metrics += list(_metrics(experiment.model_name, prompt, contenders, rates))
                sample_table, measured = table(samples, SAMPLE_COLUMNS), table(metrics, METRIC_COLUMNS)
                write_table(
                    folder / "samples.parquet", sample_table
                )  # after every length: a later one may end the process
                write_table(folder / "runs.parquet", table(runs, RUN_COLUMNS))
                write_table(folder / "metrics.parquet", measured)
        return int((sample_table["status"] == "failed").sum())

    def _measure(self, contenders: list[Contender], prompt: Prompt, bar: "tqdm[Any]") -> None:
        """All rounds of one prompt; one that fails once is left out from then on."""
        for number in range(-UNTIMED, self.repeats):
            turn = number % len(contenders)
            for each in [*contenders[turn:], *contenders[:turn]]:
                bar.set_description(f"{len(prompt.input_ids)} tokens, round {max(number + 1, 0)} of {self.repeats}")
                if each.error is None and not _guarded(each, _ROUNDS.get(number, _time), prompt):
                    tqdm.write(f"{prompt.id}, {each.engine} at {each.keep:g} %: {each.error}")
                bar.update(len(prompt.input_ids))


def _contenders(
    experiment: Experiment, prompt: Prompt, engines: dict[str, Driven], rates: list[float]
) -> list[Contender]:
    ids, room = torch.tensor(prompt.input_ids), prompt.max_new_tokens

    def of(each: Driven, kept: int) -> Callable[[bool], Prefilled]:
        return lambda clock: each.engine.prefill(Job(experiment.model, each.heuristic, ids, kept, room, clock))

    def whole(clock: bool) -> Prefilled:
        return Full().prefill(Job(experiment.model, None, ids, len(ids), room, clock))

    return [
        Contender(FULL, 100.0, len(ids), experiment.model, whole),
        *(
            Contender(name, rate, kept, experiment.model, of(each, kept))
            for rate in rates
            for kept in [tokens_kept(rate, len(ids))]
            for name, each in engines.items()
        ),
    ]


def _guarded(each: Contender, measure: Callable[[Contender, Prompt], None], prompt: Prompt) -> bool:
    """One measurement: whether it went well. What it raised is kept in ``each.error``, and what it held is given back."""
    try:
        measure(each, prompt)
    except (MemoryError, torch.OutOfMemoryError) as error:
        each.error = f"out of memory: {' '.join(str(error).split())[:200]}"
    except Exception as error:
        each.error = ("out of memory: " if "allocate memory" in str(error) else "") + reason(error)
    if each.error is not None:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return each.error is None


def _count(each: Contender, prompt: Prompt) -> None:
    """Operations and bytes; then tokens a second of decoding."""
    with counted() as flops:
        done = each.prefill(False)
    each.facts |= {"flops": flops.total, "kv_bytes": done.run.kv_bytes()}
    token, started, untimed = done.first_token, time.perf_counter(), min(1, prompt.max_new_tokens - 1)
    for step in range(prompt.max_new_tokens):
        if step == untimed:  # the first token pays for what starts up
            started = time.perf_counter()
        token = int(done.run.decode(token, done.next_position + step).argmax())
    each.facts["decode_tokens_per_second"] = (prompt.max_new_tokens - untimed) / (time.perf_counter() - started)


def _weigh(each: Contender, _prompt: Prompt) -> None:
    """Peak memory, and the share of the time that goes into choosing."""
    start_peak(each.model)
    started = time.perf_counter()
    done = each.prefill(True)
    seconds = time.perf_counter() - started
    peak = peak_bytes(done.run.model)
    each.facts["choosing_share"] = done.choosing_seconds / seconds
    if peak is not None:
        each.facts["peak_bytes"] = peak


def _time(each: Contender, _prompt: Prompt) -> None:
    started = time.perf_counter()
    done = each.prefill(False)
    each.seconds.append(time.perf_counter() - started)
    del done  # after the clock was read: giving memory back is not part of it


_ROUNDS = {-2: _count, -1: _weigh}


def _status(contenders: list[Contender]) -> dict[str, Any]:
    """The prompt's status: failed if some engine did."""
    errors = [f"{each.engine} at {each.keep:g} %: {each.error}" for each in contenders if each.error is not None]
    full = contenders[0]
    seconds = float(np.median(full.seconds)) if full.seconds else None
    if errors:
        return {"status": "failed", "error": "; ".join(errors), "prefill_seconds": seconds}
    return {"status": "ok", "prefill_seconds": seconds}


def _rows(prompt: Prompt, each: Contender) -> Iterator[dict[str, Any]]:
    """Rows of runs.parquet: one a timed repeat, or one that says what went wrong."""
    common = {
        "task": prompt.task, "sample": prompt.id, "engine": each.engine, "keep": each.keep, "kept_tokens": each.kept_tokens,
    } | {name: value for name, value in each.facts.items() if name in RUN_COLUMNS}  # fmt: skip
    if each.error is not None:
        yield common | {"status": "failed", "error": each.error}
        return
    for repeat, seconds in enumerate(each.seconds):
        yield common | {"repeat": repeat, "prefill_seconds": seconds, "status": "ok"}


def _metrics(model: str, prompt: Prompt, contenders: list[Contender], rates: list[float]) -> Iterator[dict[str, Any]]:
    """Rows of metrics.parquet of one prompt; the full prefill's at every keep rate."""
    full = contenders[0]
    for each in contenders:
        if each.error is not None:
            continue
        numbers = _quartiles("ttft", np.array(each.seconds)) | each.facts
        if full.error is None:
            numbers |= _quartiles("ttft_ratio", np.array(each.seconds) / np.array(full.seconds))
            numbers["flops_ratio"] = each.facts["flops"] / full.facts["flops"]
            numbers["kv_ratio"] = each.facts["kv_bytes"] / full.facts["kv_bytes"]
        for rate in rates if each is full else [each.keep]:
            for metric, value in numbers.items():
                yield {"model": model, "task": prompt.task, "sample": prompt.id, "heuristic": each.engine,
                       "metric": metric, "k": rate, "value": float(value)}  # fmt: skip


def _quartiles(name: str, values: Any) -> dict[str, float]:
    """Median, and the quartiles as ``.low`` and ``.high``."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return {name: float(middle), f"{name}.low": float(low), f"{name}.high": float(high)}
