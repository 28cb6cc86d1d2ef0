"""What is an answer worth that was read from the kept tokens only, and what did reading it cost?"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from tqdm import tqdm

from tokenrank.capture.reading import read
from tokenrank.evaluation.driving import (
    Driven,
    check_room,
    driven,
    keep_rates,
    random_control,
    refuse_rankings,
)
from tokenrank.evaluation.evaluation import Evaluation
from tokenrank.evaluation.flops import counted
from tokenrank.evaluation.folder import METRIC_COLUMNS, RUN_COLUMNS, SAMPLE_COLUMNS, begin, facts, reason, table
from tokenrank.evaluation.gap import gap_closed
from tokenrank.evaluation.preparation import Experiment
from tokenrank.evaluation.statistics import over_samples
from tokenrank.heuristics.controls import Known
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.metrics.metric import tokens_kept
from tokenrank.prefill.engine import Engine, Full, Job
from tokenrank.records.schema import FULL, ORACLE, RANDOM
from tokenrank.records.writing import write_table
from tokenrank.tasks.task import Prompt, Task

COSTS = ("flops", "kv_bytes")  # known exactly; ``prefill_seconds`` are one measurement each
RATIOS = {"prefill_seconds": "prefill_ratio", "flops": "flops_ratio", "kv_bytes": "kv_ratio"}


@dataclass(frozen=True)
class Accuracy(Evaluation):
    """Every engine answers every prompt at every keep rate; full prefill, the oracle and the random control stand beside them.

    Operations are counted in a prefill of their own, the first time that an engine reads so many tokens, so that counting slows
    nothing that is timed; it also warms the engine up.
    """

    def check(self, experiment: Experiment) -> None:
        """Raises ValueError for a task without scores, an answer that is not generated, or engines and keep rates that cannot be."""
        if type(experiment.task).score is Task.score:
            raise ValueError("evaluation=accuracy needs a task that scores answers, such as niah, longbench or ruler")
        if experiment.oracle.answer != "generated":
            raise ValueError(f"oracle.answer is {experiment.oracle.answer}, must be generated: the answers are scored")
        refuse_rankings(experiment)
        check_room(experiment, _engines(experiment), keep_rates(experiment))

    def run(self, experiment: Experiment, folder: Path) -> int:
        """Fills runs.parquet, samples.parquet and metrics.parquet."""
        begin(experiment, folder)
        engines, rates, flops = _engines(experiment), keep_rates(experiment), FlopCounts()
        samples: list[dict[str, Any]] = []
        runs: list[dict[str, Any]] = []
        total = sum(len(prompt.input_ids) for prompt in experiment.prompts) * (1 + len(engines) * len(rates))
        with tqdm(total=total, unit=" tokens", unit_scale=True, smoothing=0.1, dynamic_ncols=True) as bar:
            for number, prompt in enumerate(experiment.prompts, start=1):
                bar.set_description(f"{number - 1} of {len(experiment.prompts)} prompts")
                sample = facts(prompt)
                try:
                    for run in _answers(experiment, prompt, engines, rates, flops, sample):
                        runs.append({"task": prompt.task, "sample": prompt.id} | run)
                        bar.update(len(prompt.input_ids))
                        if run["status"] == "failed":
                            tqdm.write(f"prompt {prompt.id}, {run['engine']} at {run['keep']:g} %: {run['error']}")
                except Exception as error:  # the full prefill or the oracle: without them nothing can be compared
                    tqdm.write(f"prompt {prompt.id} failed: {reason(error)}")
                    sample |= {"status": "failed", "error": reason(error)}
                samples.append(sample)
                # after every prompt, so that a killed run keeps its answers
                write_table(folder / "samples.parquet", table(samples, SAMPLE_COLUMNS))
                write_table(folder / "runs.parquet", table(runs, RUN_COLUMNS))
            bar.set_description(f"{len(samples)} of {len(samples)} prompts")
        return _write(experiment, folder, table(samples, SAMPLE_COLUMNS), table(runs, RUN_COLUMNS))


def _engines(experiment: Experiment) -> dict[str, Driven]:
    """All rows but the full prefill; who drives the oracle's is known only after each prompt's answer."""
    controls: dict[str, Heuristic] = {ORACLE: Known({})} | random_control(experiment)
    return driven(experiment, controls)


def _answers(
    experiment: Experiment,
    prompt: Prompt,
    engines: Mapping[str, Driven],
    rates: list[float],
    flops: "FlopCounts",
    sample: dict[str, Any],
) -> Iterator[dict[str, Any]]:
    """Rows of runs.parquet of one prompt, the full prefill first; also fills its row of samples.parquet."""
    ids, room = torch.tensor(prompt.input_ids), prompt.max_new_tokens
    job = Job(experiment.model, None, ids, len(ids), room)
    operations = flops.of(FULL, Full(), job)
    started = time.perf_counter()
    done = Full().prefill(job)
    seconds = time.perf_counter() - started
    kv_bytes = done.run.kv_bytes()
    del done
    reading = read(experiment.model, ids, lambda _: None, max_new_tokens=room)
    started = time.perf_counter()
    importance = experiment.oracle.importance(reading.answer_layers).view(-1, len(ids))
    oracle_seconds = time.perf_counter() - started
    numbers = [layer.index for layer in reading.answer_layers]
    truth = Known(dict(zip(numbers, importance.expand(len(numbers), -1), strict=True)))
    answer, decode_seconds = reading.answer_ids.tolist(), reading.decode_seconds
    del reading
    full = _scored(experiment, prompt, answer) | {
        "prefill_seconds": seconds,
        "decode_seconds": decode_seconds,
        "status": "ok",
    }
    sample |= full | {"oracle_seconds": oracle_seconds}
    yield full | {"engine": FULL, "keep": 100.0, "kept_tokens": len(ids), "choosing_seconds": 0.0, "flops": operations, "kv_bytes": kv_bytes}  # fmt: skip
    for rate in rates:
        for name, each in engines.items():
            kept = tokens_kept(rate, len(ids))
            row = {"engine": name, "keep": rate, "kept_tokens": kept}
            try:
                driver = truth if name == ORACLE else each.heuristic
                job = Job(experiment.model, driver, ids, kept, room)
                yield row | {"flops": flops.of(name, each.engine, job)} | _run(experiment, prompt, each.engine, job)
            except Exception as error:
                yield row | {"status": "failed", "error": reason(error)}


class FlopCounts:
    """Operations of a prefill, which depend on the engine and on how many tokens it reads and keeps, and not on what they say."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int], int] = {}

    def of(self, name: str, engine: Engine, job: Job) -> int:
        """Counted in a prefill that is thrown away, or known from an earlier one."""
        key = (name, len(job.input_ids), job.kept)
        if key not in self._known:
            with counted() as flops:
                engine.prefill(job)
            self._known[key] = flops.total
        return self._known[key]


def _run(experiment: Experiment, prompt: Prompt, engine: Engine, job: Job) -> dict[str, Any]:
    """One answer by one engine, and its cost."""
    started = time.perf_counter()
    done = engine.prefill(job)
    seconds = time.perf_counter() - started
    kv_bytes = done.run.kv_bytes()
    started = time.perf_counter()
    answer = done.answer(job.room)
    return _scored(experiment, prompt, answer) | {
        "prefill_seconds": seconds,
        "choosing_seconds": None if job.device.type == "cuda" else done.choosing_seconds,  # there it takes ttft's clock
        "decode_seconds": time.perf_counter() - started,
        "kv_bytes": kv_bytes,
        "status": "ok",
    }


def _scored(experiment: Experiment, prompt: Prompt, answer: list[int]) -> dict[str, Any]:
    text = str(experiment.tokenizer.decode(answer, skip_special_tokens=True))
    return {"answer_tokens": len(answer), "answer": text, "score": experiment.task.score(prompt, text)}


def _write(experiment: Experiment, folder: Path, samples: pd.DataFrame, runs: pd.DataFrame) -> int:
    """The tables; returns how many prompts failed, wholly or in part."""
    metrics = accuracy_table(experiment, runs)
    write_table(folder / "metrics.parquet", metrics)
    failed = set(samples.loc[samples["status"] == "failed", "id"]) | set(runs.loc[runs["status"] == "failed", "sample"])
    return len(failed)


def accuracy_table(experiment: Experiment, runs: pd.DataFrame) -> pd.DataFrame:
    """metrics.parquet out of runs.parquet: one row a prompt, engine, keep rate and number, then those over all prompts."""
    config = experiment.config
    rates = keep_rates(experiment)
    rows: list[dict[str, Any]] = []
    for (task, sample), group in runs[runs["status"] == "ok"].groupby(["task", "sample"], sort=False):
        full = group[group["engine"] == FULL].iloc[0]
        repeated = pd.concat([pd.DataFrame([full] * len(rates)).assign(keep=rates), group[group["engine"] != FULL]])
        for run in repeated.to_dict("records"):
            for metric, value in _numbers(run, full):
                rows.append({"model": experiment.model_name, "task": task, "sample": sample, "heuristic": run["engine"],
                             "metric": metric, "k": run["keep"], "value": value})  # fmt: skip
    of_samples = table(rows, METRIC_COLUMNS)
    shared = answered_by_all(of_samples)
    over_all = over_samples(shared, config.seed, config.bootstrap.resamples, compared=("score",))
    return pd.concat([of_samples, over_all, _gaps(experiment, shared)], ignore_index=True)


def answered_by_all(of_samples: pd.DataFrame) -> pd.DataFrame:
    """The rows of the prompts that every engine answered at every keep rate, so that all means are over the same prompts.

    An engine that answered nothing at a keep rate is left out of account there.
    """
    scores = of_samples[of_samples["metric"] == "score"]
    wide = scores.pivot(index=["task", "sample"], columns=["heuristic", "k"], values="value")
    complete = wide.dropna(axis="columns", how="all").dropna().index
    return of_samples[pd.MultiIndex.from_frame(of_samples[["task", "sample"]]).isin(complete)]


def _numbers(run: Mapping[Any, Any], full: Any) -> Iterator[tuple[str, float]]:
    """The metrics of one run; the oracle's time is no speed, as its ranking costs a whole answer."""
    for metric in ("score", *COSTS, "prefill_seconds"):
        if metric == "prefill_seconds" and run["engine"] == ORACLE:
            continue
        if not pd.isna(run[metric]):
            yield metric, float(run[metric])
            if metric in RATIOS:
                yield RATIOS[metric], float(run[metric] / full[metric])


def _gaps(experiment: Experiment, of_samples: pd.DataFrame) -> pd.DataFrame:
    """Rows ``score.gap_closed`` with their intervals, over the prompts that every engine answered."""
    config = experiment.config
    rows: list[dict[str, Any]] = []
    for rate, group in of_samples[of_samples["metric"] == "score"].groupby("k", sort=False):
        wide = group.pivot(index=["task", "sample"], columns="heuristic", values="value")
        wide = wide[list(group["heuristic"].unique())].dropna()
        if wide.empty or not {ORACLE, RANDOM} <= set(wide):
            continue
        for name, ends in gap_closed(wide, RANDOM, ORACLE, config.seed, config.bootstrap.resamples).items():
            for suffix, value in zip(("", ".low", ".high"), ends, strict=True):
                rows.append({"model": experiment.model_name, "heuristic": name, "metric": f"score.gap_closed{suffix}",
                             "k": rate, "value": value})  # fmt: skip
    return table(rows, METRIC_COLUMNS)
