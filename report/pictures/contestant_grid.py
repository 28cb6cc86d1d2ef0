"""The needle grid of contestants: prompt length x needle depth, as heat maps of answers found, of the loss and of needles kept."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tokenrank.records.measures import ACCURACY, BY_DEFINITION, LABELS, LOSS, LOWER_IS_BETTER, NEEDLE_KEPT
from tokenrank.records.schema import FULL, contestant_names
from tokenrank.records.tables import Tables
from tokenrank.report.pictures.drawing import Pictures
from tokenrank.report.pictures.grid import FOUND, Cells, blank_cells, grid, grid_panels, with_depth
from tokenrank.report.pictures.panels import SHARE
from tokenrank.report.pictures.result_order import by_result
from tokenrank.report.rows.contestant_rows import contestants, keep_rates
from tokenrank.report.rows.ranking_rows import heading

MEASURES = {ACCURACY: FOUND, LOSS: LABELS[LOSS], NEEDLE_KEPT: LABELS[NEEDLE_KEPT]}  # name -> what it is called
LEAST = 0.01  # nats: end of the scale of losses where all are smaller


def contestant_grids(tables: Tables) -> Pictures:
    """grid_accuracy_at_KEEP, grid_loss_at_KEEP and grid_needle_kept_at_KEEP: a panel a contestant; those that were measured.

    None where no prompt has a depth. What the full prefill has by definition, such as a loss of 0, gets no panel.

    Args:
        tables: of a run of evaluation=accuracy or evaluation=fidelity.
    """
    cells = with_depth(tables.samples)
    rows = tables.metrics.assign(contestant=contestant_names(tables.metrics))
    rows = rows[rows["sample"].isin(cells.index) & rows["value"].notna()]
    pictures: Pictures = {}
    for metric in MEASURES:
        of_metric = rows[rows["metric"] == metric]
        whole, pruned = of_metric[of_metric["contestant"] == FULL], of_metric[of_metric["contestant"] != FULL]
        beside = whole.head(0) if metric in BY_DEFINITION else whole
        for keep in keep_rates(tables):
            shown = pruned[pruned["keep"] == keep]
            if len(shown):
                drawn = pd.concat([beside, shown])
                pictures[f"grid_{metric}_at_{keep:g}"] = partial(_drawn, cells, drawn, metric, keep, tables)
    return pictures


def _drawn(cells: pd.DataFrame, rows: pd.DataFrame, metric: str, keep: float, tables: Tables) -> Figure:
    values = {name: own.set_index("sample")["value"] for name, own in rows.groupby("contestant")}
    results = pd.Series({name: values[name].mean() for name in contestants(tables) if name in values}, dtype=float)
    lower = metric in LOWER_IS_BETTER
    grids = {name: grid(cells, values[name]) for name in by_result(results, lower_is_better=lower)}
    said = (
        f"{MEASURES[metric]} by length and depth",
        f"{heading(tables, rows['sample'].nunique())}, keep rate {keep:g} %",
    )
    return grid_panels(grids, MEASURES[metric], said, blank_cells(cells), scale=_from_none(grids) if lower else SHARE)


def _from_none(grids: Mapping[str, Cells]) -> Mapping[str, Any]:
    """A scale of losses: light is none, dark is the largest of a cell; what is below 0 looks as 0 does."""
    largest = max(float(np.nanmax(each.means.to_numpy(dtype=float))) for each in grids.values())
    return {**SHARE, "cmap": "viridis_r", "vmax": max(largest, LEAST)}
