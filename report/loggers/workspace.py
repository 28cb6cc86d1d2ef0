"""A W&B workspace for the copies that ``logger=wandb`` makes: saved by one who is logged in, else written as JSON.

    python -m tokenrank.report.loggers.workspace SETTINGS

SETTINGS is a JSON object from ``scripts/dashboard.py``. The last line printed says where the workspace is.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import wandb
import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws

from tokenrank.records.run_folder import RunFolder
from tokenrank.records.run_names import Names
from tokenrank.records.writing import write_text
from tokenrank.report.loggers.logger import one_line
from tokenrank.report.loggers.run_copy import RunCopy, run_copy

NAME = "tokenrank"
COSTS = ("flops_ratio", "kv_ratio")  # of the full prefill's: x axes of trade-offs
WORTH = ("accuracy", "loss", "kl")  # y axes
SCATTER = "wandb/scatter/v0"  # W&B's own chart of a table
NOBODY = "ENTITY"  # stands in a written spec for an entity that is not known


@dataclass(frozen=True)
class Shown:
    """What the panels name: as it is in a run, or where none is given what most runs have."""

    layers: Sequence[str] = ("recall@10", "spearman", "needle_recall@10")
    keeps: Sequence[str] = WORTH
    heat_maps: Sequence[str] = ("recall_at_10_heatmap", "spearman_heatmap")
    pairs: Sequence[tuple[str, str]] = (
        ("recall@10.worst", "recall@10.mean"), *((cost, worth) for cost in COSTS for worth in WORTH),
    )  # fmt: skip
    columns: Sequence[str] = field(default_factory=tuple)  # of W&B's summary, in the table of runs


def shown_of(copy: RunCopy) -> Shown:
    """What a run has, its metrics in their order."""
    names = tuple(str(name) for name in copy.curves["name"].unique())
    there = set(copy.table.columns)
    bases = [name.removesuffix(".mean") for name in copy.table.columns if name.endswith(".mean")]
    pairs = [(f"{name}.worst", f"{name}.mean") for name in bases]
    pairs += [(cost, worth) for cost in COSTS for worth in WORTH if {cost, worth} <= there]
    means = copy.means[copy.means["name"].isin([*copy.means["name"].unique()][:1])]
    return Shown(
        layers=names if copy.axis == "layer" else (),
        keeps=names if copy.axis == "keep" else (),
        heat_maps=tuple(file.stem for file in copy.pictures if file.stem.endswith("_heatmap")),
        pairs=pairs,
        columns=tuple(f"{row['contestant']}/{row['name']}" for row in means.to_dict("records")),
    )


def workspace(entity: str, project: str, shown: Shown) -> ws.Workspace:
    """Layer curves, curves over keep rates, heat maps, trade-offs and tables; sections without a panel are left out."""
    sections = {
        "Layer curves by heuristic": [_lines("layer", name) for name in shown.layers],
        "Curves over keep rates": [_lines("keep", name) for name in shown.keeps],
        "Heat maps: heuristic x layer": [
            wr.MediaBrowser(title=name, media_keys=[f"plots/{name}"]) for name in shown.heat_maps
        ],
        "Trade-offs": [_scatter(x, y) for x, y in shown.pairs],
        "Tables": [wr.WeavePanelSummaryTable(table_name=name) for name in ("contestants", "samples")],
    }
    columns = [
        "run:displayName",
        "config:evaluation._target_",
        "run:createdAt",
        *(f"summary:{name}" for name in shown.columns),
    ]
    return ws.Workspace(
        entity=entity,
        project=project,
        name=NAME,
        sections=[ws.Section(name=name, panels=panels, is_open=True) for name, panels in sections.items() if panels],
        settings=ws.WorkspaceSettings(smoothing_type="none", ignore_outliers=False),
        runset_settings=ws.RunsetSettings(pinned_columns=columns),
    )


def _lines(axis: str, name: str) -> wr.LinePlot:
    """A line a contestant: all that ``log_curves`` logged under the name."""
    return wr.LinePlot(
        title=name, x=axis, metric_regex=f"^{axis}/{re.escape(name)}/", title_x="layer" if axis == "layer" else "keep rate, %",
        smoothing_type="none",
    )  # fmt: skip


def _scatter(x: str, y: str) -> wr.CustomChart:
    return wr.CustomChart(
        query={"summaryTable": {"tableKey": "contestants"}}, chart_name=SCATTER, chart_fields={"x": x, "y": y},
        chart_strings={"title": f"{y} against {x}"},
    )  # fmt: skip


def spec(made: ws.Workspace) -> str:
    """The workspace as W&B stores it."""
    view = made._to_model()
    whole = {"entity": view.entity, "project": view.project, "name": view.display_name}
    return json.dumps(whole | {"spec": view.spec.model_dump(mode="json", by_alias=True, exclude_none=True)}, indent=2)


def make(settings: Mapping[str, Any]) -> str:
    """Saves the workspace, or writes it where nobody is logged in, W&B cannot be reached or a file was asked for."""
    shown = Shown()
    if settings["run"] is not None:
        nobody = Names(group=None, job_type="", name="", id="")
        shown = shown_of(run_copy(RunFolder(Path(settings["run"])), nobody, texts=False))
    why = "that was asked for" if settings["asked_for_file"] else None
    try:
        if why is None and not wandb.login(prompt=False, verify=False):
            why = "there is no API key"
        if why is None:
            entity = settings["entity"] or wandb.Api(timeout=20).default_entity or ""
            return f"saved: {workspace(entity, settings['project'], shown).save().url}"
    except Exception as error:  # a refused key, no network, ...
        why = one_line(error)
    write_text(Path(settings["file"]), spec(workspace(settings["entity"] or NOBODY, settings["project"], shown)) + "\n")
    return f"not saved in W&B, as {why}; its spec is in {settings['file']}"


if __name__ == "__main__":
    try:
        print(make(json.loads(sys.argv[1])))
    except Exception as error:
        sys.exit(one_line(error))
