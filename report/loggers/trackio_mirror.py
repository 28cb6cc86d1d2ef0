"""Writes the copy of a run into trackio's local database, one trackio run a heuristic or contestant, so that their curves overlay."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import trackio
from trackio.sqlite_storage import SQLiteStorage

from tokenrank.report.loggers.run_copy import RunCopy, whole_steps


def mirror(copy: RunCopy, settings: Mapping[str, Any]) -> str:
    """Writes the runs and looks whether they are there, as trackio says of a failure no more than a warning.

    Raises:
        RuntimeError: the database does not hold what was logged.
    """
    project, home = settings["project"], Path(settings["home"])
    if settings["folder"] is None:
        for earlier in home.iterdir():  # of other tables or settings: trackio would show both
            shutil.rmtree(earlier) if earlier.is_dir() else earlier.unlink()
    else:
        remove_earlier(project, copy.names.id)
    whole = f"{copy.names.name}-{copy.names.id}"
    logs = {}
    for name in [whole, *copy.contestants]:
        run_name = whole if name == whole else f"{name}-{copy.names.id}"
        logs[run_name] = whole_logs(copy) if name == whole else contestant_logs(copy, name)
        run = trackio.init(
            project, name=run_name, group=whole, config=copy.config | {"job_type": copy.names.job_type}, embed=False,
            auto_log_cpu=False, auto_log_gpu=False,
        )  # fmt: skip
        for step, values in logs[run_name]:
            run.log(values, step=step)
        trackio.finish()
    check(project, logs)
    return f"trackio: TRACKIO_DIR={home} trackio show --project {project}"


def whole_logs(copy: RunCopy) -> list[tuple[int, dict[str, Any]]]:
    """The pictures and the table of prompts, at step 0."""
    plain = copy.samples.astype(object).where(copy.samples.notna(), None)
    plain = plain.map(lambda cell: ", ".join(map(str, cell)) if isinstance(cell, list | np.ndarray) else cell)
    pictures = {f"plots/{picture.stem}": trackio.Image(str(picture)) for picture in copy.pictures}
    return [(0, {"prompts": trackio.Table(dataframe=plain)} | pictures)]


def contestant_logs(copy: RunCopy, name: str) -> list[tuple[int, dict[str, Any]]]:
    """Curves with the layer or the keep rate as the step, and the means at step 0."""
    own = copy.means[copy.means["contestant"] == name]
    means = [(0, {f"means/{row['name']}": row["value"] for row in own.to_dict("records")})] if len(own) else []
    curves = copy.curves[copy.curves["contestant"] == name]
    steps, unit = whole_steps(copy.curves["step"])
    lines = [
        (int(step), {f"{copy.axis}{unit}/{row['name']}": row["value"] for row in rows.to_dict("records")})
        for step, rows in curves.groupby(steps[curves.index])
    ]
    return means + lines


def remove_earlier(project: str, ident: str) -> None:
    """Removes the runs of an earlier copy from a database that several runs share."""
    for run in list(trackio.Api().runs(project)) if project in SQLiteStorage.get_projects() else []:
        if run.name.endswith(f"-{ident}"):
            run.delete()


def check(project: str, logs: Mapping[str, list[tuple[int, dict[str, Any]]]]) -> None:
    """Raises RuntimeError unless every run has exactly the steps and names that were logged."""
    for name, logged in logs.items():
        there = [
            (row["step"], sorted(row.keys() - {"step", "timestamp"})) for row in SQLiteStorage.get_logs(project, name)
        ]
        if sorted(there) != sorted((step, sorted(values)) for step, values in logged):
            raise RuntimeError(f"trackio's database does not hold all of what was logged of {name}")
