"""The agreement of rankings with the oracle at each layer: three pictures of a metric."""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tokenrank.records.tables import Tables
from tokenrank.report.drawing import (
    ACCENT,
    BAND,
    INK,
    PANELS_A_ROW,
    REFERENCE,
    Pictures,
    file_name,
    layer_ticks,
    plain_axes,
)
from tokenrank.report.ranking_rows import by_layer, chance, label, origin, windowed_layers


def layer_pictures(tables: Tables, metric: str, k: float) -> Pictures:
    """METRIC_layers, METRIC_heatmap and METRIC_spread of one metric.

    Args:
        tables: of the run.
        metric: its name.
        k: percent; which k is drawn if it has one.
    """
    rows = tables.of_metric(metric, k)
    windowed, title, name = windowed_layers(rows), origin(rows), label(rows, metric, k)
    values, by_chance = by_layer(rows, metric, k), chance(rows, metric, k)
    return {
        f"{file_name(name)}_{kind}": partial(_picture, draw, values, by_chance, name, title, windowed)
        for kind, draw in (("layers", layer_curves), ("heatmap", heat_map), ("spread", spread_over_layers))
    }


def _picture(draw: Callable[..., Figure], *shown: Any) -> Figure:
    return draw(*shown)


def layer_curves(
    values: pd.DataFrame, by_chance: float, name: str, origin: str, windowed: Collection[int] = ()
) -> Figure:
    """The layer-variance plot: a panel per heuristic with its mean over prompts and the middle 80 % of them.

    Args:
        values: index (heuristic, sample), columns layers.
        by_chance: expected value of a random ranking.
        name: of the metric.
        origin: model and number of prompts, for the title.
        windowed: layers with a sliding window, which are shaded.
    """
    heuristics = _heuristics(values)
    columns = min(PANELS_A_ROW, len(heuristics))
    rows = -(-len(heuristics) // columns)
    figure = Figure(figsize=(1.2 + 2.3 * columns, 1.0 + 1.8 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    layers = values.columns.to_numpy(dtype=float)
    for panel, heuristic in zip(grid.flat, heuristics, strict=False):
        samples = values.loc[heuristic].to_numpy(dtype=float)
        low, high = np.percentile(samples, [10, 90], axis=0)
        panel.fill_between(layers, low, high, color=BAND, linewidth=0, label="middle 80 % of prompts")
        panel.plot(layers, samples.mean(axis=0), color=ACCENT, linewidth=1.6, label="mean over prompts")
        panel.axhline(by_chance, color=REFERENCE, linestyle="--", linewidth=1, label="chance")
        for number, layer in enumerate(sorted(windowed)):
            panel.axvspan(layer - 0.5, layer + 0.5, color="#eeeeee", zorder=0, label="" if number else "windowed layer")
        panel.set_title(heuristic, fontsize=10, color=INK)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        plain_axes(panel)
    for unused in grid.flat[len(heuristics) :]:
        unused.set_visible(False)
    for lowest in grid.flat[max(0, len(heuristics) - columns) : len(heuristics)]:
        lowest.tick_params(labelbottom=True)
        lowest.set_xlabel("layer", fontsize=9)
    figure.supylabel(name, fontsize=10)
    figure.suptitle(f"{name} at each layer: {origin}", fontsize=11)
    lines, names = grid.flat[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return figure


def heat_map(values: pd.DataFrame, by_chance: float, name: str, origin: str, windowed: Collection[int] = ()) -> Figure:
    """Heuristic x layer, mean over prompts; the chance level is a line in the colour bar; windowed layers have a w."""
    heuristics = _heuristics(values)
    means = values.groupby("heuristic").mean().loc[heuristics].to_numpy(dtype=float)
    figure = Figure(figsize=(8, 1.2 + 0.32 * len(heuristics)), layout="constrained")
    axes = figure.subplots()
    low, high = min(means.min(), by_chance), max(means.max(), by_chance)
    image = axes.imshow(means, aspect="auto", cmap="viridis", vmin=low, vmax=high, interpolation="nearest")
    axes.set_yticks(range(len(heuristics)), heuristics, fontsize=9)
    axes.set_xticks(*layer_ticks([int(layer) for layer in values.columns], windowed, most=12), fontsize=8)
    axes.set_xlabel("layer (w: windowed)" if windowed else "layer")
    axes.set_title(f"{name}, mean over prompts: {origin}", fontsize=11)
    bar = figure.colorbar(image, ax=axes, label=f"{name} (dashed: chance)")
    bar.ax.axhline(by_chance, color=REFERENCE, linestyle="--", linewidth=2)
    return figure


def spread_over_layers(
    values: pd.DataFrame, by_chance: float, name: str, origin: str, windowed: Collection[int] = ()
) -> Figure:
    """One dot a layer (mean over prompts), dark to light from first to last; windowed layers are crosses, the bar is the mean."""
    heuristics = _heuristics(values)[::-1]
    figure = Figure(figsize=(8, 1.4 + 0.34 * len(heuristics)), layout="constrained")
    axes = figure.subplots()
    layers = values.columns.to_numpy(dtype=float)
    dots = None
    for height, heuristic in enumerate(heuristics):
        means = values.loc[heuristic].to_numpy(dtype=float).mean(axis=0)
        heights = height + np.linspace(-0.25, 0.25, len(means))
        axes.plot([means.min(), means.max()], [height, height], color="#bbbbbb", linewidth=1, zorder=1)
        crossed = np.isin(layers, list(windowed))
        dots = axes.scatter(means, heights, c=layers, cmap="cividis", s=16, edgecolors=INK, linewidths=0.3, zorder=2)
        if crossed.any():
            axes.scatter(means[crossed], heights[crossed], c="white", marker="x", s=10, linewidths=0.8, zorder=4)
        axes.plot([means.mean()] * 2, [height - 0.35, height + 0.35], color=INK, linewidth=2, zorder=3)
    axes.axvline(by_chance, color=REFERENCE, linestyle="--", linewidth=1, label="chance")
    axes.set_yticks(range(len(heuristics)), heuristics, fontsize=9)
    axes.set_xlabel(
        f"{name} of a layer, mean over prompts (bar: mean over layers{'; x: windowed' if windowed else ''})"
    )
    axes.set_title(f"Spread of {name} over layers: {origin}", fontsize=11)
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    plain_axes(axes)
    if dots is not None:
        figure.colorbar(dots, ax=axes, label="layer", ticks=MaxNLocator(integer=True))
    return figure


def _heuristics(values: pd.DataFrame) -> list[str]:
    return list(values.index.get_level_values("heuristic").unique())
