"""Writes the copy of a run as TensorBoard event files, one TensorBoard run a heuristic or contestant, so that their curves overlay."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.image
import pandas as pd
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from tokenrank.records.schema import TEXTS
from tokenrank.report.loggers.run_copy import RunCopy, whole_steps

SHOWN = (
    "id",
    "task",
    "tokens",
    "depth",
    "answer_tokens",
    "accuracy",
    "seconds",
    "status",
)  # columns of the table of prompts


def mirror(copy: RunCopy, settings: Mapping[str, Any]) -> str:
    """Writes the event files; returns one sentence that says where they are."""
    home = Path(settings["home"])
    for earlier in home.iterdir():  # of other tables or settings: TensorBoard would show both
        shutil.rmtree(earlier) if earlier.is_dir() else earlier.unlink()
    with SummaryWriter(str(home)) as whole:
        write_whole(whole, copy)
    for name, folder in folders(copy.contestants).items():
        with SummaryWriter(str(home / folder)) as writer:
            write_contestant(writer, copy, name)
    return f"TensorBoard: tensorboard --logdir {home}"


def folders(contestants: list[str]) -> dict[str, str]:
    """Contestant -> its folder, which TensorBoard shows as the run's name: other letters are ``_``, with a number where two are then alike.

    >>> folders(["claa", "oracle@claa", "my/own", "my own"])
    {'claa': 'claa', 'oracle@claa': 'oracle@claa', 'my/own': 'my_own', 'my own': 'my_own_2'}
    """
    found: dict[str, str] = {}
    for name in contestants:
        plain = re.sub(r"[^\w@.,=+-]", "_", name).lstrip(".") or "_"
        same, number = plain, 1
        while same in found.values():
            number += 1
            same = f"{plain}_{number}"
        found[name] = same
    return found


def write_contestant(writer: SummaryWriter, copy: RunCopy, name: str) -> None:
    """Curves with the layer or the keep rate as the step, and the means as metrics of TensorBoard's HParams page."""
    curves = copy.curves[copy.curves["contestant"] == name]
    steps, unit = whole_steps(copy.curves["step"])
    for row, step in zip(curves.to_dict("records"), steps[curves.index], strict=True):
        writer.add_scalar(f"{copy.axis}{unit}/{row['name']}", row["value"], int(step))
    own = copy.means[copy.means["contestant"] == name]
    means = {f"means/{row['name']}": float(row["value"]) for row in own.to_dict("records")}
    for tag, value in means.items():
        writer.add_scalar(tag, value, 0)
    what = {"heuristic": name, "run": copy.names.name, "evaluation": copy.names.job_type, "id": copy.names.id}
    for summary in hparams(what, dict.fromkeys(means, 0.0)):  # type: ignore[no-untyped-call]
        writer._get_file_writer().add_summary(summary)  # type: ignore[no-untyped-call]


def write_whole(writer: SummaryWriter, copy: RunCopy) -> None:
    """Config and prompts as texts, pictures as images; what the prompts say only where the copy has it."""
    writer.add_text("config", _code(json.dumps(copy.config, indent=2, ensure_ascii=False)))
    writer.add_text("prompts", _markdown(copy.samples[[*SHOWN]]))
    for picture in copy.pictures:
        image = matplotlib.image.imread(picture)  # (height, width, 4) in [0, 1]
        writer.add_image(f"plots/{picture.stem}", image, dataformats="HWC")
    for row in copy.samples.to_dict("records"):
        for text in TEXTS:
            said = row.get(text)
            if isinstance(said, str) or (said is not None and not pd.api.types.is_scalar(said)):
                writer.add_text(f"{text}/{row['id']}", _code(said if isinstance(said, str) else "\n".join(said)))


def _code(text: str) -> str:
    """Markdown that shows a text as it is."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def _markdown(table: pd.DataFrame) -> str:
    """A table in Markdown; missing values are empty."""
    plain = table.astype(object).where(table.notna(), None)
    rows = [[_cell(cell) for cell in row] for row in plain.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(row)} |" for row in [[*table.columns], ["---"] * len(table.columns), *rows])


def _cell(value: Any) -> str:
    shown = "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)
    return shown.replace("|", "\\|").replace("\n", " ")
