"""Where in a long prompt is the needle lost? Prompt length x needle depth, as heat maps."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tokenrank.report.engine_rows import FULL, in_order
from tokenrank.report.panels import SHARE, colour_bar, panels
from tokenrank.report.plots import INK, save
from tokenrank.report.selection import at, chance, label

NEEDLE = "needle_recall"
TICKS = 6  # lengths, and depths, that are named along an axis at most
WRITTEN = (5, 11)  # lengths and depths up to which cells have their value written in
LIGHT = 0.6  # from here on the colour is light enough for dark writing


def draw_grid(samples: pd.DataFrame, metrics: pd.DataFrame, folder: Path, k: float) -> None:
    """Draws the needle grid of a run: answers found, and needle recall; nothing where no prompt has a depth, or none was ranked.

    Args:
        samples: as in samples.parquet.
        metrics: as in metrics.parquet.
        folder: gets grid_score (where answers have a score) and grid_needle_recall_at_K (where that was measured), each as
            .png and .pdf.
        k: percent; which k is drawn.
    """
    if "depth" not in samples or metrics.empty:
        return
    cells = samples[samples["depth"].notna()].set_index("id")
    origin = f"{', '.join(metrics['model'].unique())}, {int((cells['status'] == 'ok').sum())} prompts"
    blank = blank_cells(cells)
    if cells["score"].notna().any():
        scores = {"whole prompt": grid(cells, cells["score"])}
        save(grid_panels(scores, "answers found", f"answers found\n{origin}", blank), folder / "grid_score")
    of_mean = at(metrics, f"{NEEDLE}.mean", k)
    values = of_mean[of_mean["sample"].isin(cells.index)]
    if not values.empty:
        by_heuristic = values.pivot(index="sample", columns="heuristic", values="value")
        tables = {str(name): grid(cells, by_heuristic[name]) for name in values["heuristic"].unique()}
        name, by_chance = label(metrics, NEEDLE, k), chance(metrics, NEEDLE, k)
        some = "full-attention " if f"{NEEDLE}.mean.windowed" in set(metrics["metric"]) else ""
        title = f"{name}, mean over {some}layers\n{origin}"
        note = "\n".join(filter(None, [f"chance: {by_chance:.2f}", blank]))
        save(grid_panels(tables, name, title, note, by_chance), folder / f"grid_{name.replace('@', '_at_')}")


def draw_engine_grids(samples: pd.DataFrame, runs: pd.DataFrame, origin: str, folder: Path) -> None:
    """Draws answers found by every engine, a picture a keep rate; nothing where no prompt has a depth.

    Args:
        samples: as in samples.parquet.
        runs: as in runs.parquet.
        origin: model and prompts, for the titles.
        folder: gets grid_score_at_KEEP, each as .png and .pdf.
    """
    cells = samples[samples["depth"].notna()].set_index("id")
    runs = runs[runs["sample"].isin(cells.index) & runs["score"].notna()]
    whole = runs[runs["engine"] == FULL]
    for keep, group in runs[runs["engine"] != FULL].groupby("keep"):
        found = pd.concat([whole, group])
        tables = {
            name: grid(cells, found[found["engine"] == name].set_index("sample")["score"])
            for name in in_order(found["engine"].unique())
        }
        title = f"answers found, {keep:g} % of the tokens kept\n{origin}"
        save(grid_panels(tables, "answers found", title, blank_cells(cells)), folder / f"grid_score_at_{keep:g}")


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
    tables: Mapping[str, pd.DataFrame], name: str, title: str, note: str = "", by_chance: float | None = None
) -> Figure:
    """A panel a table, all on one scale from 0 to 1; a cell without a value stays blank.

    Args:
        tables: by what the panel is called; index depths in percent, columns lengths in tokens, values in [0, 1] or missing.
        name: of what the values are.
        title: of the figure.
        note: what is said below it.
        by_chance: what chance gives, a line in the colour bar; None where there is no such level.
    """
    depths, lengths = (max(sizes) for sizes in zip(*(table.shape for table in tables.values()), strict=True))
    size = (max(2.0, min(3.0, 0.45 * lengths)), max(1.9, min(3.4, 0.28 * depths + 0.7)))
    figure, shown = panels(list(tables), *size, "length (tokens)", "depth (%)")
    for panel, table in zip(shown, tables.values(), strict=True):
        image = panel.imshow(table.to_numpy(dtype=float), **SHARE)
        for axis, numbers in ((panel.xaxis, table.columns), (panel.yaxis, table.index)):
            every = -(-len(numbers) // TICKS)
            axis.set_ticks(range(0, len(numbers), every), [f"{number:g}" for number in numbers[::every]])
        if lengths <= WRITTEN[0] and depths <= WRITTEN[1]:
            _write_in(panel, table)
    colour_bar(figure, image, shown, name, by_chance)
    figure.suptitle(title, fontsize=11)
    figure.supxlabel(note, fontsize=8)
    return figure


def _write_in(panel: Axes, table: pd.DataFrame) -> None:
    """Each cell's value, in a colour that can be read on it."""
    for (row, column), value in np.ndenumerate(table.to_numpy(dtype=float)):
        if not np.isnan(value):
            colour = INK if value >= LIGHT else "white"
            panel.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
