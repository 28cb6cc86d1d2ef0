"""Does a heuristic keep the same tokens wherever it ranks? Layer against layer, a panel a heuristic."""

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tokenrank.report.panels import SHARE, colour_bar, panels
from tokenrank.report.plots import layer_ticks, save
from tokenrank.report.selection import chance, label, windowed_layers

SUFFIX = ".between"
TICKS = 6  # layers that are named along an axis


def draw_between(table: pd.DataFrame, folder: Path, k: float) -> None:
    """Draws every metric that holds layers against each other; nothing where no two layers were ranked.

    Args:
        table: as in metrics.parquet.
        folder: gets METRIC_between, as .png and .pdf.
        k: percent; which k is drawn of the metrics that have one.
    """
    for pairs in table["metric"].unique():
        if not pairs.endswith(SUFFIX):
            continue
        metric = pairs.removesuffix(SUFFIX)
        name = label(table, metric, k)
        origin = f"{', '.join(table['model'].unique())}, mean over {table['sample'].nunique()} prompts"
        title = f"{name}, layer against layer\n{origin}"
        matrices, by_chance = between_layers(table, metric, k), chance(table, metric, k)
        drawn = layer_against_layer(matrices, by_chance, name, title, windowed_layers(table))
        save(drawn, folder / f"{name.replace('@', '_at_')}_between")


def between_layers(table: pd.DataFrame, metric: str, k: float) -> dict[str, pd.DataFrame]:
    """Per heuristic (layers, layers), symmetric, out of the half that the table holds; 1 on the diagonal."""
    rows = table[(table["metric"] == metric + SUFFIX) & (table["k"].isna() | (table["k"] == k))]
    matrices = {}
    for heuristic in rows["heuristic"].unique():
        half = rows[rows["heuristic"] == heuristic].pivot(index="layer", columns="other_layer", values="value")
        layers = sorted({*half.index, *half.columns})
        half = half.reindex(index=layers, columns=layers)
        whole = half.to_numpy(dtype=float, copy=True)
        whole = np.where(np.isnan(whole), whole.T, whole)
        np.fill_diagonal(whole, 1.0)
        matrices[str(heuristic)] = pd.DataFrame(whole, index=half.index, columns=half.columns)
    return matrices


def layer_against_layer(
    matrices: Mapping[str, pd.DataFrame], by_chance: float, name: str, title: str, windowed: Collection[int] = ()
) -> Figure:
    """A panel a heuristic on one scale from 0 to 1; the chance level is a line in the colour bar; windowed layers have a w.

    Args:
        matrices: per heuristic (layers, layers), with the layers' numbers as index and columns.
        by_chance: what two random rankings score.
        name: of the metric.
        title: of the figure.
        windowed: numbers of the layers with a sliding window.
    """
    axis = "layer (w: windowed)" if windowed else "layer"
    figure, shown = panels(list(matrices), 2.2, 2.35, axis, axis)
    for panel, matrix in zip(shown, matrices.values(), strict=True):
        image = panel.imshow(matrix.to_numpy(dtype=float), origin="lower", **SHARE)
        places, names = layer_ticks([int(layer) for layer in matrix.columns], windowed, TICKS)
        panel.set_xticks(places, names)
        panel.set_yticks(places, names)
    colour_bar(figure, image, shown, name, by_chance)
    figure.suptitle(title, fontsize=11)
    return figure
