"""Copies a finished run folder to Weights & Biases; a process of its own, so that nothing W&B does can touch a run.

    python -m tokenrank.report.mirror RUN_FOLDER SETTINGS

SETTINGS is what ``report.logger.WandB`` sends: a JSON object. The last line printed says where the copy is.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import wandb
from omegaconf import OmegaConf

from tokenrank.report.engine_rows import is_of_engines
from tokenrank.report.selection import label, metric_names

TEXTS = ["answer", "error"]  # columns of samples.parquet; an error may quote its prompt


def mirror(folder: Path, settings: Mapping[str, Any]) -> str:
    """Copies config, tables, summary, plots and metrics.parquet; returns one sentence that says where they are."""
    if os.environ.get("WANDB_MODE") == "disabled":
        return "W&B: no copy, as WANDB_MODE says"
    run, why = start(folder, settings)
    table = pd.read_parquet(folder / "metrics.parquet")
    samples = pd.read_parquet(folder / "samples.parquet")
    run.log(per_layer(table))
    run.log({"samples": as_table(samples if settings["texts"] else samples.drop(columns=TEXTS))})
    run.log({f"plots/{plot.stem}": wandb.Image(str(plot)) for plot in sorted((folder / "plots").glob("*.png"))})
    run.summary.update(summary_metrics(table, settings["k"]))
    artifact = wandb.Artifact(f"metrics-{run.id}", type="metrics")
    artifact.add_file(str(folder / "metrics.parquet"))
    run.log_artifact(artifact)
    place, url = Path(run.dir).parent, run.url
    run.finish()
    if why is None:
        return f"W&B: {url}"
    return f"W&B: offline, as {why}; `wandb sync {place}` uploads it"


def start(folder: Path, settings: Mapping[str, Any]) -> tuple[wandb.Run, str | None]:
    """The W&B run, and why it is offline (None where it is not): never asks, and waits no longer than init_timeout."""
    why = why_offline(settings["offline"])
    if why is None:
        try:
            return _init(folder, settings, mode=None), None
        except Exception as error:  # no network, a key that is refused, a project that one may not write to, ...
            why = one_line(error)
        wandb.teardown()  # it would go on trying
        for attempt in (folder / "wandb").glob("run-*"):
            shutil.rmtree(attempt, ignore_errors=True)
    return _init(folder, settings, mode="offline"), why


def why_offline(asked_for: bool) -> str | None:
    """What speaks against trying the server; None where nothing does."""
    if asked_for or os.environ.get("WANDB_MODE") in ("offline", "dryrun"):
        return "that was asked for"
    try:
        return None if wandb.login(prompt=False, verify=False) else "there is no API key"
    except Exception as error:  # a malformed key: several classes of W&B's
        return one_line(error)


def _init(folder: Path, settings: Mapping[str, Any], mode: Any) -> wandb.Run:
    config = OmegaConf.to_container(OmegaConf.load(folder / "config.yaml"))
    quiet = wandb.Settings(
        silent=True, console="off", disable_git=True, disable_code=True, disable_job_creation=True,
        init_timeout=settings["init_timeout"],
    )  # fmt: skip
    return wandb.init(mode=mode, dir=str(folder), config=config, settings=quiet, **settings["names"])  # type: ignore[arg-type]


def per_layer(table: pd.DataFrame) -> dict[str, wandb.Table]:
    """A table a metric: heuristic, k, layer, and the value's mean over samples."""
    rows = table.dropna(subset=["heuristic", "layer", "sample"])
    tables = {}
    for metric in metric_names(rows):
        means = rows[rows["metric"] == metric].groupby(["heuristic", "k", "layer"], dropna=False, sort=False)["value"]
        tables[f"layers/{metric}"] = as_table(means.mean().reset_index())
    return tables


def as_table(frame: pd.DataFrame) -> wandb.Table:
    """A W&B table, which knows None but not pandas' own missing values."""
    plain = frame.astype(object).where(frame.notna(), None)
    rows: list[Iterable[Any]] = list(plain.to_numpy().tolist())
    return wandb.Table(columns=[str(name) for name in plain], data=rows)


def summary_metrics(table: pd.DataFrame, k: float) -> dict[str, float]:
    """``HEURISTIC/METRIC.mean`` and ``.worst`` at k percent, means over samples; ``chance/METRIC``.

    Of engines: ``ENGINE/METRIC@KEEP`` at every keep rate, mean over samples.
    """
    if is_of_engines(table):
        means = table[table["sample"].notna()].groupby(["heuristic", "metric", "k"], sort=False)["value"].mean()
        named = means.reset_index().to_dict("records")
        return {f"{row['heuristic']}/{row['metric']}@{row['k']:g}": float(row["value"]) for row in named}
    found: dict[str, float] = {}
    own = table[table["sample"].notna() & table["layer"].isna() & (table["k"].isna() | (table["k"] == k))]
    for metric in metric_names(table):
        name = label(table, metric, k)
        for statistic in ("mean", "worst"):
            rows = own[own["metric"] == f"{metric}.{statistic}"]
            means = rows.groupby("heuristic", sort=False)["value"].mean()
            found |= {f"{heuristic}/{name}.{statistic}": float(value) for heuristic, value in means.items()}
        found[f"chance/{name}"] = float(own.loc[(own["metric"] == metric) & own["heuristic"].isna(), "value"].mean())
    return found


def one_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    try:
        print(mirror(Path(sys.argv[1]), json.loads(sys.argv[2])))
    except Exception as error:
        sys.exit(one_line(error))
