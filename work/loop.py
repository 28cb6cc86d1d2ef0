"""Runs the units of a plan one after the other; the record of each is written as soon as it is done."""

import gc
import logging
import platform
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import torch
from tqdm import tqdm
from transformers import PreTrainedModel

from tokenrank.evaluation.evaluation import Advance, Measurement
from tokenrank.evaluation.failures import reason
from tokenrank.evaluation.plan import Plan, Unit
from tokenrank.records.digests import ids_digest
from tokenrank.records.record import Record, header, measured_table
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.store import StoreUnwritable
from tokenrank.work.environment import device_name, layer_record
from tokenrank.work.resuming import FAILED, OK, status

SHORTEST_PAUSE, LONGEST_PAUSE = 0.05, 2.0  # seconds between two looks at units that other processes measure
TICK = 1.0  # seconds between two drawings of the progress bar on a terminal
log = logging.getLogger("tokenrank")


def work(plan: Plan, model: PreTrainedModel, todo: Sequence[Unit], folder: RunFolder) -> None:
    """Measures units, one after the other; when it returns, each has a record.

    A unit that fails is recorded with its reason, and the others go on. One that another process is measuring comes last: if
    that process leaves no record, it is measured here.
    """
    rounds, pause = plan.evaluation.rounds(plan), SHORTEST_PAUSE
    waiting, before = list(todo), {unit.name: stamp(folder.record_file(unit.name)) for unit in todo}
    with token_bar(todo, rounds) as bar:
        while waiting:
            left: list[Unit] = []
            for place, unit in enumerate(waiting):
                bar.set_description(f"{len(todo) - len(waiting) + place - len(left)} of {len(todo)} prompts")
                start = bar.n
                with folder.claimed(unit.name) as mine:
                    if not mine:
                        left.append(unit)
                        continue
                    if not done_since(unit, folder, before[unit.name]):
                        do(plan, model, unit, folder, bar.update)
                bar.update(start + len(unit.prompt.input_ids) * rounds - bar.n)
            if len(left) == len(waiting):
                if pause == SHORTEST_PAUSE:
                    log.info("waiting for %d prompts that other processes are measuring", len(left))
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            waiting = left
        bar.set_description(f"{len(todo)} of {len(todo)} prompts")


@contextmanager
def token_bar(units: Iterable[Unit], rounds: int) -> "Iterator[tqdm[Any]]":
    """A progress bar of the tokens that are read of these units, each prompt ``rounds`` times.

    On a terminal it is drawn every second too, so that its clock does not stand still while a long prompt is measured.
    """
    total, ended = tokens_of_units(units) * rounds, Event()

    def draw() -> None:
        while not ended.wait(TICK):
            bar.refresh()

    with tqdm(total=total, unit=" tokens", unit_scale=True, smoothing=0.1, dynamic_ncols=True) as bar:
        if sys.stderr.isatty():
            Thread(target=draw, daemon=True).start()
        try:
            yield bar
        finally:
            ended.set()


def tokens_of_units(units: Iterable[Unit]) -> int:
    """Tokens of their prompts together."""
    return sum(len(unit.prompt.input_ids) for unit in units)


def do(plan: Plan, model: PreTrainedModel, unit: Unit, folder: RunFolder, advance: Advance) -> None:
    """Measures one unit and writes its record.

    Raises:
        OSError: the record, its rankings, levels or an entry of the store cannot be written.
    """
    record, measurement = run_unit(plan, model, unit, advance)
    if measurement.rankings is not None:
        folder.write_rankings(unit.name, measurement.rankings)
    if measurement.levels is not None:
        folder.write_levels(unit.name, measurement.levels)
    folder.write_record(record)


def done_since(unit: Unit, folder: RunFolder, before: "tuple[int, int] | None") -> bool:
    """Whether another process has measured a unit since its record had the stamp ``before``, or had done so already."""
    now = stamp(folder.record_file(unit.name))
    return status(unit, folder, logging.DEBUG) in ((OK, FAILED) if now != before else (OK,))


def stamp(file: Path) -> tuple[int, int] | None:
    """Changes when the file is written again; None where there is none."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ino


def run_unit(plan: Plan, model: PreTrainedModel, unit: Unit, advance: Advance) -> tuple[Record, Measurement]:
    """The record of one unit and what was measured; of a unit that fails, or whose values no file can hold, the reason."""
    started = time.perf_counter()
    try:
        measurement = plan.evaluation.measure(plan, model, unit, advance)
        record = record_of(plan, model, unit, measurement, time.perf_counter() - started)
        header(record)  # refuses values that JSON does not know
        if record.failed:
            log.error("prompt %s, partly failed: %s", unit.name, measurement.sample["error"])
    except StoreUnwritable:  # no fault of the unit
        raise
    except Exception as error:  # any error is recorded, and the other units go on
        log.exception("prompt %s failed: %s", unit.name, reason(error))
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        measurement = Measurement({"error": reason(error)}, [])
        record = record_of(plan, model, unit, measurement, time.perf_counter() - started)
    return record, measurement


def failed_record(plan: Plan, unit: Unit, why: str) -> Record:
    """The record of a unit that was not measured."""
    return record_of(plan, None, unit, Measurement({"error": why}, []), 0.0)


def record_of(
    plan: Plan, model: PreTrainedModel | None, unit: Unit, measurement: Measurement, seconds: float
) -> Record:
    """The record of a unit: what was measured, with the prompt's facts, host and device, which is null without a model."""
    outcome = measurement.sample | {
        "status": "failed" if "error" in measurement.sample else "ok",
        "seconds": seconds,
        "host": platform.node(),
        "device": None if model is None else device_name(model.device),
        "key": unit.key,
    }
    whose = {"task": unit.prompt.task, "sample": unit.prompt.id}
    return Record(
        unit=unit.name,
        number=unit.number,
        key=unit.key,
        key_fields=unit.key_fields,
        sample=_without_texts(plan, prompt_row(plan, unit) | outcome),
        layers=layer_record(plan),
        runs=[_without_texts(plan, whose | run) for run in measurement.runs],
        measured=measured_table([{"model": plan.model_name} | whose | row for row in measurement.rows]),
    )


def prompt_row(plan: Plan, unit: Unit) -> dict[str, Any]:
    """The columns of samples.parquet that are known before a prompt is run."""
    prompt = unit.prompt
    return {
        "id": prompt.id,
        "task": prompt.task,
        "tokens": len(prompt.input_ids),
        "cut_tokens": prompt.cut_tokens,
        **_place("needle", prompt.needle),
        "evidence": [[each.start, each.stop] for each in prompt.evidence] or None,
        "depth": prompt.depth,
        **_place("context", prompt.context),
        **_place("question", prompt.question),
        "input_ids_sha256": ids_digest(prompt.input_ids),
        "prompt": str(plan.tokenizer.decode(list(prompt.input_ids))),
        "references": list(prompt.answers),
    }


def _place(name: str, tokens: range | None) -> dict[str, int | None]:
    """The columns of a part of a prompt: its first token and the number of its tokens."""
    start, count = (None, None) if tokens is None else (tokens.start, len(tokens))
    return {f"{name}_start": start, f"{name}_tokens": count}


def _without_texts(plan: Plan, row: dict[str, Any]) -> dict[str, Any]:
    """The row, without prompt, reference answers and answer where ``texts`` is false; errors stay."""
    return (
        row
        if plan.texts
        else {name: value for name, value in row.items() if name not in ("prompt", "references", "answer")}
    )
