"""The run folder: one format for all evaluations (results/README.md)."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import OmegaConf

from tokenrank.evaluation.environment import environment
from tokenrank.evaluation.layers import layer_record
from tokenrank.evaluation.preparation import Experiment
from tokenrank.records.files import sweep_unfinished
from tokenrank.records.tables import write_json, write_text
from tokenrank.tasks.task import Prompt

METRIC_COLUMNS = {
    "model": "str", "task": "str", "sample": "str", "heuristic": "str", "layer": "Int64", "metric": "str", "k": "Float64",
    "value": "float64", "windowed": "boolean", "other_layer": "Int64",
}  # fmt: skip
SAMPLE_COLUMNS = {
    "id": "str", "task": "str", "tokens": "Int64", "cut_tokens": "Int64", "needle_start": "Int64",
    "needle_tokens": "Int64", "depth": "Float64", "answer_tokens": "Int64", "answer": "str", "score": "Float64", "prefill_seconds": "Float64",
    "decode_seconds": "Float64", "oracle_seconds": "Float64", "metrics_seconds": "Float64", "status": "str", "error": "str",
}  # fmt: skip
RUN_COLUMNS = {
    "task": "str", "sample": "str", "engine": "str", "keep": "Float64", "repeat": "Int64", "kept_tokens": "Int64",
    "answer_tokens": "Int64", "answer": "str", "score": "Float64", "prefill_seconds": "Float64", "choosing_seconds": "Float64",
    "decode_seconds": "Float64", "flops": "Int64", "kv_bytes": "Int64", "peak_bytes": "Int64", "status": "str", "error": "str",
}  # fmt: skip
OWN = (
    "config.yaml", "environment.json", "metrics.parquet", "samples.parquet", "runs.parquet", "published.md", "ttft.md",
    "rankings/*.safetensors", "plots/*.png", "plots/*.pdf",
)  # fmt: skip


def begin(experiment: Experiment, folder: Path) -> None:
    """Clears the folder of an earlier run and writes what this one is: config.yaml and environment.json."""
    remove_earlier_run(folder)
    write_text(folder / "config.yaml", OmegaConf.to_yaml(experiment.config, resolve=True))
    ranked = {"layers": layer_record(experiment.layers)}
    found = environment(str(experiment.model.device), experiment.config.seed)
    write_json(folder / "environment.json", found | ranked)


def remove_earlier_run(folder: Path) -> None:
    """Removes the files of an earlier run, if there was one, so that a folder never holds parts of two."""
    for place in (folder, folder / "rankings", folder / "plots"):
        sweep_unfinished(place)
    if not (folder / "environment.json").is_file():
        return
    for pattern in OWN:
        for file in folder.glob(pattern):
            file.unlink()
    shutil.rmtree(folder / "wandb", ignore_errors=True)


def table(rows: Sequence[Any], columns: Mapping[str, str]) -> pd.DataFrame:
    """Rows, tuples in the columns' order or dicts, as a table of these types; what a dict lacks is null."""
    return pd.DataFrame(rows, columns=list(columns)).astype(dict(columns))


def facts(prompt: Prompt) -> dict[str, Any]:
    """What samples.parquet says of a prompt before it is run."""
    needle = prompt.needle
    return {
        "id": prompt.id,
        "task": prompt.task,
        "tokens": len(prompt.input_ids),
        "cut_tokens": prompt.cut_tokens,
        "needle_start": None if needle is None else needle.start,
        "needle_tokens": None if needle is None else len(needle),
        "depth": prompt.depth,
    }


def reason(error: Exception) -> str:
    """What a table says of an error."""
    return f"{type(error).__name__}: {error}"
