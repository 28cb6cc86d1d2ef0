"""The needle grid: prompt length x needle depth, as heat maps of answers found and of needle recall."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from tokenrank.records.tables import Tables
from tokenrank.report.pictures.drawing import Pictures, caption, file_name, title
from tokenrank.report.pictures.panels import SHARE, colour_bar, ink_on, panels
from tokenrank.report.pictures.result_order import by_result
from tokenrank.report.rows.ranking_rows import chance, heading, label, over_layers

NEEDLE = "needle_recall"
FOUND = "answers found"
TICKS = 6  # lengths, and depths, that are named along an axis at most
WIDTH, DIGIT = 380, 4.6  # points: of the panels of a row together, and of a digit
WRITTEN = (5, 11)  # lengths and depths up to which cells have their value and their number of prompts written in
COUNTED = {12: 4, 24: 2, 48: 1}  # lengths up to which cells have the number written in -> panels a row
CELL, SMALL = 0.26, 0.13  # inches: height of a cell with a value, and of one with a number of prompts alone


class Cells(NamedTuple):
    """A needle grid: index depths in percent, columns lengths in tokens, both ascending."""

    means: pd.DataFrame  # over the prompts of a cell; missing where there is no value
    counts: pd.DataFrame  # prompts that the mean is over


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
        pictures["grid_accuracy"] = partial(_answers, cells, tables)
    values = over_layers(tables.summary, NEEDLE, "mean", k)
    if values["sample"].isin(cells.index).any():
        pictures[f"grid_{file_name(label(metrics, NEEDLE, k))}"] = partial(_recalls, cells, tables, k)
    return pictures


def with_depth(samples: pd.DataFrame) -> pd.DataFrame:
    """The prompts that have a depth, by id."""
    return samples[samples["depth"].notna()].set_index("id")


def _answers(cells: pd.DataFrame, tables: Tables) -> Figure:
    accuracies = {"whole prompt": grid(cells, cells["accuracy"])}
    said = (f"{FOUND} by length and depth", heading(tables, int(cells["accuracy"].notna().sum())))
    return grid_panels(accuracies, FOUND, said, blank_cells(cells))


def _recalls(cells: pd.DataFrame, tables: Tables, k: float) -> Figure:
    metrics, values = tables.metrics, over_layers(tables.summary, NEEDLE, "mean", k)
    by_heuristic = values[values["sample"].isin(cells.index)].pivot(index="sample", columns="heuristic", values="value")
    order = by_result(by_heuristic[list(values["heuristic"].unique())].mean())
    grids = {str(name): grid(cells, by_heuristic[name]) for name in order}
    name, by_chance = label(metrics, NEEDLE, k), chance(metrics, NEEDLE, k)
    some = "full-attention " if len(over_layers(tables.summary, NEEDLE, "mean", k, windowed=True)) else ""
    said = (f"{name} by length and depth, mean over {some}layers", heading(tables, len(by_heuristic), k, NEEDLE))
    note = "\n".join(filter(None, [f"Chance: {by_chance:.2f}.", blank_cells(cells)]))
    return grid_panels(grids, name, said, note, by_chance)


def grid(cells: pd.DataFrame, values: pd.Series) -> Cells:
    """Means over the prompts of a cell, and how many these are.

    Args:
        cells: by id, with ``depth`` in percent and ``tokens``; they say which depths and lengths there are.
        values: by id; a prompt that failed has none.
    """
    placed = cells[["depth", "tokens"]].assign(value=values.astype("Float64"))
    by_cell = placed.groupby(["depth", "tokens"])["value"]
    means, counts = (
        each.unstack().sort_index().sort_index(axis="columns") for each in (by_cell.mean(), by_cell.count())
    )
    return Cells(means.astype(float), counts.fillna(0).astype(int))


def blank_cells(cells: pd.DataFrame) -> str:
    """Why cells of the grid are blank, and how many prompts the others lack, a line each; empty where all is there."""
    failed = (cells["status"] != "ok").groupby([cells["depth"], cells["tokens"]])
    without = len(list(product(cells["depth"].unique(), cells["tokens"].unique()))) - failed.ngroups
    lost = failed.all()
    left_out = int(failed.sum()[~lost].sum())
    said = [
        f"Blank: no prompt ({without} {'cell' if without == 1 else 'cells'})." if without else "",
        f"Blank: all prompts failed ({lost.sum()} {'cell' if lost.sum() == 1 else 'cells'})." if lost.any() else "",
        f"Left out of their cell's mean: {left_out} failed." if left_out else "",
    ]
    return "\n".join(filter(None, said))


def grid_panels(
    grids: Mapping[str, Cells],
    name: str,
    said: Sequence[str],
    note: str = "",
    by_chance: float | None = None,
    scale: Mapping[str, Any] = SHARE,
) -> Figure:
    """A panel a grid, all on one scale; a cell without a value stays blank, all others say how many prompts they are over.

    Args:
        grids: by title of the panel.
        name: of the values.
        said: lines of the title.
        note: text below the figure.
        by_chance: the chance level, a line in the colour bar; None where there is no such level.
        scale: arguments of ``Axes.imshow``; by default from 0 to 1.
    """
    depths, lengths = (max(sizes) for sizes in zip(*(each.means.shape for each in grids.values()), strict=True))
    both = lengths <= WRITTEN[0] and depths <= WRITTEN[1]
    most = next((columns for fits, columns in COUNTED.items() if lengths <= fits), None)
    height = max(0.9, depths * (CELL if both else SMALL))
    figure, shown = panels(list(grids), height, "length (tokens)", "depth (%)", most or 1)
    for panel, cells in zip(shown, grids.values(), strict=True):
        image = panel.imshow(cells.means.to_numpy(dtype=float), **scale)
        for axis, numbers in ((panel.xaxis, cells.means.columns), (panel.yaxis, cells.means.index)):
            every = -(-len(numbers) // (_named(numbers, most or 1) if axis is panel.xaxis else TICKS))
            axis.set_ticks(range(0, len(numbers), every), [f"{number:g}" for number in numbers[::every]])
        if most:
            _write_in(panel, cells, image, both=both)
    colour_bar(figure, image, shown, name, by_chance)
    title(figure, *said)
    caption(figure, "\n".join(filter(None, [_prompts_a_cell(grids, both=both, written=bool(most)), note])))
    return figure


def _named(lengths: "pd.Index[Any]", columns: int) -> int:
    """How many lengths can be named along the axis of one of so many panels beside each other."""
    longest = max(len(f"{number:g}") for number in lengths)
    return max(1, min(TICKS, int(WIDTH / columns / (DIGIT * longest + DIGIT))))


def _prompts_a_cell(grids: Mapping[str, Cells], *, both: bool, written: bool) -> str:
    """What is written in the cells, or how many prompts they are over where they are too small for it."""
    if written:
        return "In a cell: mean, and n, its number of prompts." if both else "In a cell: its number of prompts."
    counts = np.concatenate([each.counts.to_numpy().ravel() for each in grids.values()])
    some = counts[counts > 0]
    return f"Prompts a cell: {some.min()} to {some.max()}." if len(some) else ""


def _write_in(panel: Axes, cells: Cells, image: AxesImage, *, both: bool) -> None:
    """Each cell's value and its number of prompts, in a colour that can be read on it."""
    counts = cells.counts.to_numpy()
    for (row, column), value in np.ndenumerate(cells.means.to_numpy(dtype=float)):
        if np.isnan(value):
            continue
        ink: dict[str, Any] = {"color": ink_on(image, value), "ha": "center"}
        count = int(counts[row, column])
        if both:
            panel.text(column, row + 0.06, f"{round(value, 2) + 0.0:.2f}", va="bottom", fontsize=6, **ink)
            panel.text(column, row + 0.1, f"n={count}", va="top", fontsize=4.5, **ink)
        else:
            panel.text(column, row, f"{count}", va="center_baseline", fontsize=4.5, **ink)
