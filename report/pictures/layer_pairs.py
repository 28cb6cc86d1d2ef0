"""The overlap of the tokens that a heuristic keeps at each two layers: layer against layer, a panel a heuristic."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tokenrank.records.tables import Tables
from tokenrank.report.pictures.drawing import Pictures, file_name, layer_ticks, title
from tokenrank.report.pictures.panels import SHARE, colour_bar, panels
from tokenrank.report.pictures.result_order import by_result
from tokenrank.report.rows.ranking_rows import at, chance, heading, label, windowed_layers

TICKS = 6  # layers that are named along an axis


def layer_pair_pictures(tables: Tables, metrics: Collection[str], k: float) -> Pictures:
    """METRIC_between of every metric that compares layers with each other; none where no two layers were ranked.

    Args:
        tables: of the run.
        metrics: the metrics that are drawn.
        k: percent; which k is drawn of the metrics that have one.
    """
    pairs = tables.summary.dropna(subset=["layer", "other_layer"])
    names = [name for name in pairs["metric"].unique() if name in metrics]
    return {
        f"{file_name(label(tables.metrics, name, k))}_between": partial(_picture, tables, pairs, name, k)
        for name in names
    }


def _picture(tables: Tables, pairs: pd.DataFrame, metric: str, k: float) -> Figure:
    metrics = tables.of_metric(metric, k)
    name = label(metrics, metric, k)
    own_k = k if metrics["k"].notna().any() else None
    prompts = len(tables.metrics[["task", "sample"]].drop_duplicates())
    said = (f"{name}, layer against layer, mean over prompts", heading(tables, prompts, own_k, metric))
    matrices = layer_matrices(pairs, metric, k)
    return layer_against_layer(matrices, chance(metrics, metric, k), name, said, windowed_layers(metrics))


def layer_matrices(pairs: pd.DataFrame, metric: str, k: float) -> dict[str, pd.DataFrame]:
    """Per heuristic (layers, layers), symmetric, from the half that the table holds; 1 on the diagonal.

    Heuristics are in the order of the means of their halves.
    """
    rows = at(pairs, metric, k)
    matrices = {}
    for heuristic in by_result(rows.groupby("heuristic", sort=False)["value"].mean()):
        half = rows[rows["heuristic"] == heuristic].pivot(index="layer", columns="other_layer", values="value")
        layers = sorted({*half.index, *half.columns})
        half = half.reindex(index=layers, columns=layers)
        whole = half.to_numpy(dtype=float, copy=True)
        whole = np.where(np.isnan(whole), whole.T, whole)
        np.fill_diagonal(whole, 1.0)
        matrices[str(heuristic)] = pd.DataFrame(whole, index=half.index, columns=half.columns)
    return matrices


def layer_against_layer(
    matrices: Mapping[str, pd.DataFrame],
    by_chance: float,
    name: str,
    said: Sequence[str],
    windowed: Collection[int] = (),
) -> Figure:
    """A panel a heuristic on one scale from 0 to 1; the chance level is a line in the colour bar; windowed layers have a w.

    Args:
        matrices: per heuristic (layers, layers), with the layers' numbers as index and columns.
        by_chance: expected value of two random rankings.
        name: of the metric.
        said: lines of the title.
        windowed: numbers of the layers with a sliding window.
    """
    axis = "layer (w: windowed)" if windowed else "layer"
    figure, shown = panels(list(matrices), 1.4, axis, axis)
    for panel, matrix in zip(shown, matrices.values(), strict=True):
        image = panel.imshow(matrix.to_numpy(dtype=float), origin="lower", **SHARE)
        places, names = layer_ticks([int(layer) for layer in matrix.columns], windowed, TICKS)
        panel.set_xticks(places, names)
        panel.set_yticks(places, names)
    colour_bar(figure, image, shown, name, by_chance)
    title(figure, *said)
    return figure
