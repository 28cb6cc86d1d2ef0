"""The needle grid: prompt length x needle depth, as heat maps of answers found and of needle recall."""

from collections.abc import Mapping
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from tokenrank.records.tables import Tables
from tokenrank.report.drawing import INK, Pictures, file_name
from tokenrank.report.panels import SHARE, colour_bar, panels
from tokenrank.report.ranking_rows import chance, label, over_layers

NEEDLE = "needle_recall"
FOUND = "answers found"
TICKS = 6  # lengths, and depths, that are named along an axis at most
WRITTEN = (5, 11)  # lengths and depths up to which cells have their value written in
LIGHT = 0.48  # brightness of a colour, from 0 to 1, from which on the writing on it is dark
BRIGHTNESS = (0.299, 0.587, 0.114)  # shares of red, green and blue


def ranking_grids(tables: Tables, k: float) -> Pictures:
    """grid_accuracy (where answers have an accuracy) and grid_needle_recall_at_K (where it was measured).

    None where no prompt has a depth, or no prompt was ranked.

    Args:
        tables: of a run of evaluation=ranking.
        k: percent; which k is drawn.
    """
    metrics, cells = tables.metrics, with_depth(tables.samples)
    pictures: Pictures = {}
    if metrics.empty or cells.empty:
        return pictures
    if cells["accuracy"].notna().any():
        pictures["grid_accuracy"] = partial(_answers, cells, metrics)
    values = over_layers(tables.summary, NEEDLE, "mean", k)
    if values["sample"].isin(cells.index).any():
        pictures[f"grid_{file_name(label(metrics, NEEDLE, k))}"] = partial(_recalls, cells, tables, k)
    return pictures


def with_depth(samples: pd.DataFrame) -> pd.DataFrame:
    """The prompts that have a depth, by id."""
    return samples[samples["depth"].notna()].set_index("id")


def _answers(cells: pd.DataFrame, metrics: pd.DataFrame) -> Figure:
    accuracies = {"whole prompt": grid(cells, cells["accuracy"])}
    return grid_panels(accuracies, FOUND, f"{FOUND}\n{_origin(cells, metrics)}", blank_cells(cells))


def _recalls(cells: pd.DataFrame, tables: Tables, k: float) -> Figure:
    metrics, values = tables.metrics, over_layers(tables.summary, NEEDLE, "mean", k)
    by_heuristic = values[values["sample"].isin(cells.index)].pivot(index="sample", columns="heuristic", values="value")
    grids = {str(name): grid(cells, by_heuristic[name]) for name in values["heuristic"].unique()}
    name, by_chance = label(metrics, NEEDLE, k), chance(metrics, NEEDLE, k)
    some = "full-attention " if len(over_layers(tables.summary, NEEDLE, "mean", k, windowed=True)) else ""
    title = f"{name}, mean over {some}layers\n{_origin(cells, metrics)}"
    note = "\n".join(filter(None, [f"chance: {by_chance:.2f}", blank_cells(cells)]))
    return grid_panels(grids, name, title, note, by_chance)


def _origin(cells: pd.DataFrame, metrics: pd.DataFrame) -> str:
    return f"{', '.join(metrics['model'].unique())}, {int((cells['status'] == 'ok').sum())} prompts"


def grid(cells: pd.DataFrame, values: pd.Series) -> pd.DataFrame:
    """Means over the prompts of a cell: index depths, columns lengths, both ascending; missing where there is no value.

    Args:
        cells: by id, with ``depth`` in percent and ``tokens``; they say which depths and lengths there are.
        values: by id; a prompt that failed has none.
    """
    placed = cells[["depth", "tokens"]].assign(value=values.astype("Float64"))
    means = placed.groupby(["depth", "tokens"])["value"].mean().unstack()
    return means.sort_index().sort_index(axis="columns").astype(float)


def blank_cells(cells: pd.DataFrame) -> str:
    """Why cells of the grid are blank, and how many prompts the others lack, a line each; empty where all is there."""
    failed = (cells["status"] != "ok").groupby([cells["depth"], cells["tokens"]])
    without = len(list(product(cells["depth"].unique(), cells["tokens"].unique()))) - failed.ngroups
    lost = failed.all()
    left_out = int(failed.sum()[~lost].sum())
    said = [
        f"blank: no prompt ({without} {'cell' if without == 1 else 'cells'})" if without else "",
        f"blank: all prompts failed ({lost.sum()} {'cell' if lost.sum() == 1 else 'cells'})" if lost.any() else "",
        f"left out of their cell's mean: {left_out} failed" if left_out else "",
    ]
    return "\n".join(filter(None, said))


def grid_panels(
    grids: Mapping[str, pd.DataFrame],
    name: str,
    title: str,
    note: str = "",
    by_chance: float | None = None,
    scale: Mapping[str, Any] = SHARE,
) -> Figure:
    """A panel a grid, all on one scale; a cell without a value stays blank.

    Args:
        grids: by title of the panel; index depths in percent, columns lengths in tokens, values or missing.
        name: of the values.
        title: of the figure.
        note: text below it.
        by_chance: the chance level, a line in the colour bar; None where there is no such level.
        scale: arguments of ``Axes.imshow``; by default from 0 to 1.
    """
    depths, lengths = (max(sizes) for sizes in zip(*(each.shape for each in grids.values()), strict=True))
    size = (max(2.0, min(3.0, 0.45 * lengths)), max(1.9, min(3.4, 0.28 * depths + 0.7)))
    figure, shown = panels(list(grids), *size, "length (tokens)", "depth (%)")
    for panel, table in zip(shown, grids.values(), strict=True):
        image = panel.imshow(table.to_numpy(dtype=float), **scale)
        for axis, numbers in ((panel.xaxis, table.columns), (panel.yaxis, table.index)):
            every = -(-len(numbers) // TICKS)
            axis.set_ticks(range(0, len(numbers), every), [f"{number:g}" for number in numbers[::every]])
        if lengths <= WRITTEN[0] and depths <= WRITTEN[1]:
            _write_in(panel, table, image)
    colour_bar(figure, image, shown, name, by_chance)
    figure.suptitle(title, fontsize=11)
    figure.supxlabel(note, fontsize=8)
    return figure


def _write_in(panel: Axes, table: pd.DataFrame, image: AxesImage) -> None:
    """Each cell's value, in a colour that can be read on it."""
    for (row, column), value in np.ndenumerate(table.to_numpy(dtype=float)):
        if not np.isnan(value):
            behind = np.asarray(image.to_rgba(np.array([value])), dtype=float)[0, :3]
            colour = INK if behind @ BRIGHTNESS >= LIGHT else "white"
            panel.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
