"""Writes the copy of a run into Weights & Biases."""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import wandb

from tokenrank.report.loggers.logger import one_line
from tokenrank.report.loggers.run_copy import RunCopy


def mirror(copy: RunCopy, settings: Mapping[str, Any]) -> str:
    """Copies config, curves, tables, summary and plots; returns one sentence that says where they are."""
    if os.environ.get("WANDB_MODE") == "disabled":
        return "W&B: no copy, as WANDB_MODE says"
    remove_attempts(Path(settings["home"]))  # of other tables or settings: `wandb sync` would upload them too
    run, why = start(copy, settings)
    log_curves(run, copy)
    run.log({f"layers/{metric}": as_table(rows) for metric, rows in by_metric(copy.layers)})
    run.log({"contestants": as_table(copy.table), "samples": as_table(copy.samples)})
    run.log({f"plots/{plot.stem}": wandb.Image(str(plot)) for plot in copy.pictures})
    means = copy.means.to_dict("records")
    run.summary.update({f"{row['contestant']}/{row['name']}": row["value"] for row in means})
    artifact = wandb.Artifact(f"metrics-{run.id}", type="metrics")
    for name, file in copy.files.items():
        artifact.add_file(str(file), name=name)
    run.log_artifact(artifact)
    place, url = Path(run.dir).parent, run.url
    run.finish()
    if why is None:
        return f"W&B: {url}"
    return f"W&B: offline, as {why}; `wandb sync {place}` uploads it"


def log_curves(run: wandb.Run, copy: RunCopy) -> None:
    """One W&B metric a line, ``AXIS/NAME/CONTESTANT``, with the layer or the keep rate as its x axis."""
    run.define_metric(copy.axis, hidden=True)
    run.define_metric(f"{copy.axis}/*", step_metric=copy.axis, summary="none")
    for step, rows in copy.curves.groupby("step"):
        lines = {f"{copy.axis}/{row['name']}/{row['contestant']}": row["value"] for row in rows.to_dict("records")}
        run.log({copy.axis: step} | lines)


def start(copy: RunCopy, settings: Mapping[str, Any]) -> tuple[wandb.Run, str | None]:
    """The W&B run, and why it is offline (None where it is not): never asks, and waits no longer than init_timeout."""
    why = why_offline(settings["offline"])
    if why is None:
        try:
            return _init(copy, settings, mode=None), None
        except Exception as error:  # no network, a key that is refused, a project that one may not write to, ...
            why = one_line(error)
        wandb.teardown()  # it would go on trying
        remove_attempts(Path(settings["home"]))
    return _init(copy, settings, mode="offline"), why


def remove_attempts(home: Path) -> None:
    """Removes W&B's files of earlier copies of this run."""
    for pattern in ("run-*", "offline-run-*"):
        for attempt in home.glob(pattern):
            shutil.rmtree(attempt, ignore_errors=True)


def why_offline(asked_for: bool) -> str | None:
    """Why the server is not tried; None if it is."""
    if asked_for or os.environ.get("WANDB_MODE") in ("offline", "dryrun"):
        return "that was asked for"
    try:
        return None if wandb.login(prompt=False, verify=False) else "there is no API key"
    except Exception as error:  # a malformed key: several classes of W&B's
        return one_line(error)


def _init(copy: RunCopy, settings: Mapping[str, Any], mode: Any) -> wandb.Run:
    quiet = wandb.Settings(
        silent=True, console="off", disable_git=True, disable_code=True, disable_job_creation=True,
        init_timeout=settings["init_timeout"],
    )  # fmt: skip
    place = {"project": settings["project"], "entity": settings["entity"], "dir": str(Path(settings["home"]).parent)}
    return wandb.init(mode=mode, config=copy.config, settings=quiet, **place, **vars(copy.names))


def by_metric(layers: pd.DataFrame) -> Iterable[tuple[Any, pd.DataFrame]]:
    """A table a metric: heuristic, k, layer, and the value's mean over prompts."""
    columns = ["heuristic", "k", "layer", "value"]
    return [(metric, rows[columns]) for metric, rows in layers.groupby("metric", sort=False)]


def as_table(frame: pd.DataFrame) -> wandb.Table:
    """A W&B table, which knows None but not pandas' own missing values, and lists but not arrays."""
    plain = frame.astype(object).where(frame.notna(), None)
    plain = plain.map(_lists)
    rows: list[Iterable[Any]] = list(plain.to_numpy().tolist())
    return wandb.Table(columns=[str(name) for name in plain], data=rows)


def _lists(cell: Any) -> Any:
    """A cell with lists in place of arrays, those inside of it too."""
    return [_lists(each) for each in cell.tolist()] if isinstance(cell, np.ndarray) else cell
