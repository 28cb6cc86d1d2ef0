"""How well do rankings agree with the oracle, layer by layer? One pass over each prompt answers it for all heuristics."""

import shutil
import time
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import OmegaConf
from tqdm import tqdm

from evaluation.between import BetweenLayers
from evaluation.environment import environment
from evaluation.layers import layer_record
from evaluation.measuring import Measured, measure_prompt
from evaluation.preparation import Experiment
from evaluation.scoring import as_tensors, rank
from evaluation.statistics import over_samples
from records.files import sweep_unfinished
from records.tables import write_json, write_table, write_tensors, write_text
from report.between import draw_between
from report.grid import draw_grid
from report.plots import draw_all
from report.study import draw_study
from report.table import summary
from tasks.task import Prompt

METRIC_COLUMNS = {
    "model": "str", "task": "str", "sample": "str", "heuristic": "str", "layer": "Int64", "metric": "str", "k": "Float64",
    "value": "float64", "windowed": "boolean", "other_layer": "Int64",
}  # fmt: skip
SAMPLE_COLUMNS = {
    "id": "str", "task": "str", "tokens": "Int64", "cut_tokens": "Int64", "needle_start": "Int64",
    "needle_tokens": "Int64", "depth": "Float64", "answer_tokens": "Int64", "answer": "str", "score": "Float64", "prefill_seconds": "Float64",
    "decode_seconds": "Float64", "oracle_seconds": "Float64", "metrics_seconds": "Float64", "status": "str", "error": "str",
}  # fmt: skip


def evaluate(experiment: Experiment, folder: Path) -> int:
    """Runs all prompts and fills the run folder (see results/README.md).

    A prompt that fails is recorded with its reason and the run goes on.

    Returns:
        How many prompts failed.
    """
    config = experiment.config
    remove_earlier_run(folder)
    write_text(folder / "config.yaml", OmegaConf.to_yaml(config, resolve=True))
    ranked = {"layers": layer_record(experiment.layers, experiment.model)}
    write_json(folder / "environment.json", environment(str(experiment.model.device), config.seed) | ranked)
    samples: list[dict[str, Any]] = []
    rows: list[tuple[Any, ...]] = []
    between = BetweenLayers()
    total = sum(len(prompt.input_ids) for prompt in experiment.prompts)
    with tqdm(total=total, unit=" tokens", unit_scale=True, smoothing=0.1, dynamic_ncols=True) as bar:
        for number, prompt in enumerate(experiment.prompts, start=1):
            bar.set_description(f"{number - 1} of {len(experiment.prompts)} prompts")
            sample, measured = _one(experiment, prompt, folder)
            samples.append(sample)
            if measured is not None:
                rows += [(experiment.model_name, prompt.task, prompt.id, *row) for row in measured.rows]
                between.add(measured)
            bar.update(len(prompt.input_ids))
        bar.set_description(f"{len(samples)} of {len(samples)} prompts")
    rows += [(experiment.model_name, None, None, *row) for row in between.rows()]
    table = pd.DataFrame(rows, columns=list(METRIC_COLUMNS)).astype(METRIC_COLUMNS)
    table = pd.concat([table, over_samples(table, config.seed, config.bootstrap.resamples)], ignore_index=True)
    sample_table = pd.DataFrame(samples, columns=list(SAMPLE_COLUMNS)).astype(SAMPLE_COLUMNS)
    write_table(folder / "samples.parquet", sample_table)
    write_table(folder / "metrics.parquet", table)
    draw_all(table, folder / "plots", config.plots.k)
    draw_between(table, folder / "plots", config.plots.k)
    draw_grid(sample_table, table, folder / "plots", config.plots.k)
    if config.study:
        draw_study(table, config.study, folder / "plots", config.plots.k)
    failed = [sample["id"] for sample in samples if sample["status"] == "failed"]
    print(summary(table, config.plots.k))
    plots = "" if table.empty else f", plots in {folder / 'plots'}"
    print(f"{len(samples) - len(failed)} prompts ranked, {len(failed)} failed; tables in {folder}{plots}")
    return len(failed)


def _one(experiment: Experiment, prompt: Prompt, folder: Path) -> tuple[dict[str, Any], Measured | None]:
    """One prompt: its row of samples.parquet, and what was measured of it (None if it failed)."""
    needle = prompt.needle
    sample: dict[str, Any] = {
        "id": prompt.id,
        "task": prompt.task,
        "tokens": len(prompt.input_ids),
        "cut_tokens": prompt.cut_tokens,
        "needle_start": None if needle is None else needle.start,
        "needle_tokens": None if needle is None else len(needle),
        "depth": prompt.depth,
    }
    try:
        ranked = rank(
            experiment.model, prompt, experiment.heuristics, experiment.oracle, experiment.reference_answer(prompt)
        )
        started = time.perf_counter()
        measured = measure_prompt(experiment, prompt, ranked)
        metrics_seconds = time.perf_counter() - started
        if experiment.config.save_rankings:
            write_tensors(folder / "rankings" / f"{prompt.id}.safetensors", as_tensors(prompt, ranked))
        answer = experiment.tokenizer.decode(ranked.answer_ids, skip_special_tokens=True)
        outcome = {
            "answer_tokens": len(ranked.answer_ids),
            "answer": answer,
            "score": experiment.task.score(prompt, str(answer)) if experiment.oracle.answer == "generated" else None,
            "prefill_seconds": ranked.seconds["prefill"],
            "decode_seconds": ranked.seconds["decode"],
            "oracle_seconds": ranked.seconds["oracle"],
            "metrics_seconds": metrics_seconds,
        }
    except Exception as error:  # whatever it was: it is recorded, and the other prompts are still worth their run
        reason = f"{type(error).__name__}: {error}"
        tqdm.write(f"prompt {prompt.id} failed: {reason}")
        return sample | {"status": "failed", "error": reason}, None
    return sample | outcome | {"status": "ok"}, measured


def remove_earlier_run(folder: Path) -> None:
    """Removes the files of an earlier run, if there was one, so that a folder never holds parts of two."""
    for place in (folder, folder / "rankings", folder / "plots"):
        sweep_unfinished(place)
    if not (folder / "environment.json").is_file():
        return
    for pattern in (
        "config.yaml", "environment.json", "metrics.parquet", "samples.parquet", "rankings/*.safetensors", "plots/*.png", "plots/*.pdf",
    ):  # fmt: skip
        for file in folder.glob(pattern):
            file.unlink()
    shutil.rmtree(folder / "wandb", ignore_errors=True)
