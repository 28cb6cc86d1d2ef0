"""Runs the units of a plan one after the other; the record of each is written as soon as it is done."""

import gc
import logging
import platform
import time
from typing import Any

import torch
from tqdm import tqdm
from transformers import PreTrainedModel

from tokenrank.evaluation.evaluation import Advance, Measurement, reason
from tokenrank.evaluation.plan import Plan, Unit
from tokenrank.records.digests import ids_digest
from tokenrank.records.record import Record, header, measured_table
from tokenrank.records.run_folder import RunFolder
from tokenrank.work.environment import device_name

log = logging.getLogger("tokenrank")


def work(plan: Plan, model: PreTrainedModel, folder: RunFolder) -> None:
    """Measures every unit and writes its record; one that fails is recorded with its reason, and the others go on."""
    rounds = plan.evaluation.rounds(plan)
    total = sum(len(prompt.input_ids) for prompt in plan.prompts) * rounds
    with tqdm(total=total, unit=" tokens", unit_scale=True, smoothing=0.1, dynamic_ncols=True) as bar:
        for unit in plan.units:
            bar.set_description(f"{unit.number} of {len(plan.units)} prompts")
            before = bar.n
            record, measurement = run_unit(plan, model, unit, bar.update)
            if measurement.rankings is not None:
                folder.write_rankings(unit.name, measurement.rankings)
            folder.write_record(record)
            bar.update(before + len(unit.prompt.input_ids) * rounds - bar.n)
        bar.set_description(f"{len(plan.units)} of {len(plan.units)} prompts")


def run_unit(plan: Plan, model: PreTrainedModel, unit: Unit, advance: Advance) -> tuple[Record, Measurement]:
    """The record of one unit and what was measured; of a unit that fails, or whose values no file can hold, the reason."""
    started = time.perf_counter()
    try:
        measurement = plan.evaluation.measure(plan, model, unit, advance)
        record = record_of(plan, model, unit, measurement, time.perf_counter() - started)
        header(record)  # refuses values that JSON does not know
        if record.failed:
            log.error("prompt %s, partly failed: %s", unit.name, measurement.sample["error"])
    except Exception as error:  # any error is recorded, and the other units go on
        log.exception("prompt %s failed: %s", unit.name, reason(error))
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        measurement = Measurement({"error": reason(error)}, [])
        record = record_of(plan, model, unit, measurement, time.perf_counter() - started)
    return record, measurement


def record_of(plan: Plan, model: PreTrainedModel, unit: Unit, measurement: Measurement, seconds: float) -> Record:
    """The record of a unit: what was measured, with the prompt's facts, host and device."""
    outcome = measurement.sample | {
        "status": "failed" if "error" in measurement.sample else "ok",
        "seconds": seconds,
        "host": platform.node(),
        "device": device_name(model.device),
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
    prompt, needle = unit.prompt, unit.prompt.needle
    return {
        "id": prompt.id,
        "task": prompt.task,
        "tokens": len(prompt.input_ids),
        "cut_tokens": prompt.cut_tokens,
        "needle_start": None if needle is None else needle.start,
        "needle_tokens": None if needle is None else len(needle),
        "depth": prompt.depth,
        "input_ids_sha256": ids_digest(prompt.input_ids),
        "prompt": str(plan.tokenizer.decode(list(prompt.input_ids))),
        "references": list(prompt.answers),
    }


def layer_record(plan: Plan) -> dict[str, Any]:
    """Numbers of the layers that are ranked and of those with a window, and how many the model has."""
    return {
        "captured": list(plan.layers.attention),
        "windowed": sorted(plan.layers.windowed),
        "of": plan.layers.total,
    }


def _without_texts(plan: Plan, row: dict[str, Any]) -> dict[str, Any]:
    """The row, without prompt, reference answers and answer where ``texts`` is false; errors stay."""
    return (
        row
        if plan.texts
        else {name: value for name, value in row.items() if name not in ("prompt", "references", "answer")}
    )
