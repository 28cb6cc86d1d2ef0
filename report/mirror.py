"""Copies a finished run folder to Weights & Biases, in a process of its own, so that W&B cannot affect the run.

    python -m tokenrank.report.mirror RUN_FOLDER SETTINGS

SETTINGS is a JSON object from ``report.logger.WandB``. The last line printed says where the copy is.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import wandb
from omegaconf import OmegaConf

from tokenrank.records.run_folder import RunFolder
from tokenrank.records.schema import TEXTS, contestant_names
from tokenrank.records.tables import Tables
from tokenrank.report.contestant_rows import RANKING, kind
from tokenrank.report.loading import layer_means, load
from tokenrank.report.ranking_rows import at, chance, label, over_layers, ranked_metrics

FILES = ("metrics.parquet", "summary.parquet")  # of the artifact; they hold no texts


def mirror(folder: RunFolder, settings: Mapping[str, Any]) -> str:
    """Copies config, tables, summary and plots; returns one sentence that says where they are."""
    if os.environ.get("WANDB_MODE") == "disabled":
        return "W&B: no copy, as WANDB_MODE says"
    config: Any = OmegaConf.to_container(OmegaConf.load(folder.config))
    tables, k = load(folder, config, None, texts=settings["texts"])
    run, why = start(folder, settings)
    run.log(per_layer(layer_means(folder)))
    run.log({"samples": as_table(tables.samples if settings["texts"] else tables.samples.drop(columns=[*TEXTS]))})
    run.log({f"plots/{plot.stem}": wandb.Image(str(plot)) for plot in sorted(folder.plots.glob("*.png"))})
    run.summary.update(summary_metrics(tables, k))
    artifact = wandb.Artifact(f"metrics-{run.id}", type="metrics")
    for name in FILES:
        artifact.add_file(str(folder.path / name))
    run.log_artifact(artifact)
    place, url = Path(run.dir).parent, run.url
    run.finish()
    if why is None:
        return f"W&B: {url}"
    return f"W&B: offline, as {why}; `wandb sync {place}` uploads it"


def start(folder: RunFolder, settings: Mapping[str, Any]) -> tuple[wandb.Run, str | None]:
    """The W&B run, and why it is offline (None where it is not): never asks, and waits no longer than init_timeout."""
    why = why_offline(settings["offline"])
    if why is None:
        try:
            return _init(folder, settings, mode=None), None
        except Exception as error:  # no network, a key that is refused, a project that one may not write to, ...
            why = one_line(error)
        wandb.teardown()  # it would go on trying
        for attempt in folder.wandb.glob("run-*"):
            shutil.rmtree(attempt, ignore_errors=True)
    return _init(folder, settings, mode="offline"), why


def why_offline(asked_for: bool) -> str | None:
    """Why the server is not tried; None if it is."""
    if asked_for or os.environ.get("WANDB_MODE") in ("offline", "dryrun"):
        return "that was asked for"
    try:
        return None if wandb.login(prompt=False, verify=False) else "there is no API key"
    except Exception as error:  # a malformed key: several classes of W&B's
        return one_line(error)


def _init(folder: RunFolder, settings: Mapping[str, Any], mode: Any) -> wandb.Run:
    content: Any = OmegaConf.to_container(OmegaConf.load(folder.config))
    config = {name: value for name, value in content.items() if name not in ("defaults", "hydra")}  # there for replays
    quiet = wandb.Settings(
        silent=True, console="off", disable_git=True, disable_code=True, disable_job_creation=True,
        init_timeout=settings["init_timeout"],
    )  # fmt: skip
    return wandb.init(mode=mode, dir=str(folder.path), config=config, settings=quiet, **settings["names"])


def per_layer(means: pd.DataFrame) -> dict[str, wandb.Table]:
    """A table a metric: heuristic, k, layer, and the value's mean over prompts."""
    columns = ["heuristic", "k", "layer", "value"]
    return {f"layers/{metric}": as_table(rows[columns]) for metric, rows in means.groupby("metric", sort=False)}


def as_table(frame: pd.DataFrame) -> wandb.Table:
    """A W&B table, which knows None but not pandas' own missing values, and lists but not arrays."""
    plain = frame.astype(object).where(frame.notna(), None)
    plain = plain.map(lambda cell: cell.tolist() if isinstance(cell, np.ndarray) else cell)
    rows: list[Iterable[Any]] = list(plain.to_numpy().tolist())
    return wandb.Table(columns=[str(name) for name in plain], data=rows)


def summary_metrics(tables: Tables, k: float) -> dict[str, float]:
    """``HEURISTIC/METRIC.mean`` and ``.worst`` at k percent, means over prompts; ``chance/METRIC``.

    Of contestants: ``CONTESTANT/METRIC@KEEP`` at every keep rate, mean over prompts.
    """
    if kind(tables) != RANKING:
        return _of_contestants(tables)
    found: dict[str, float] = {}
    for metric in ranked_metrics(tables):
        name = label(tables.metrics, metric, k)
        for statistic in ("mean", "worst"):
            rows = over_layers(tables.summary, metric, statistic, k)
            means = rows.groupby("heuristic", sort=False)["value"].mean()
            found |= {f"{heuristic}/{name}.{statistic}": float(value) for heuristic, value in means.items()}
        if len(at(tables.metrics, metric, k)):
            found[f"chance/{name}"] = chance(tables.metrics, metric, k)
    return found


def _of_contestants(tables: Tables) -> dict[str, float]:
    medians = tables.summary[tables.summary["sample"].notna() & (tables.summary["statistic"] == "median")]
    rows = pd.concat([tables.metrics, medians], ignore_index=True)
    rows = rows.assign(contestant=contestant_names(rows))
    means = rows.groupby(["contestant", "metric", "keep"], sort=False)["value"].mean().reset_index()
    return {f"{row['contestant']}/{row['metric']}@{row['keep']:g}": row["value"] for row in means.to_dict("records")}


def one_line(error: BaseException) -> str:
    """The message of an error, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    try:
        print(mirror(RunFolder(Path(sys.argv[1])), json.loads(sys.argv[2])))
    except Exception as error:
        sys.exit(one_line(error))
