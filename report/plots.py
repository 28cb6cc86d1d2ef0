"""Where does a ranking fall apart? Three pictures of every metric, each as PNG and as PDF."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tokenrank.records.files import whole_file
from tokenrank.report.selection import by_layer, chance, label, metric_names, windowed_layers

INK, ACCENT, BAND, REFERENCE = "#222222", "#0072b2", "#9ecae1", "#d55e00"  # told apart by the colour-blind and in grey
PANELS_A_ROW = 4


def draw_all(table: pd.DataFrame, folder: Path, k: float) -> None:
    """Draws every metric of a run: layer curves, heat map and spread over layers; nothing if no prompt was ranked.

    Args:
        table: as in metrics.parquet.
        folder: gets METRIC_layers, METRIC_heatmap and METRIC_spread, each as .png and .pdf.
        k: percent; which k is drawn of the metrics that have one.
    """
    windowed = windowed_layers(table)
    for metric in metric_names(table):
        values, by_chance, name = by_layer(table, metric, k), chance(table, metric, k), label(table, metric, k)
        origin = f"{', '.join(table['model'].unique())}, {table['sample'].nunique()} prompts"
        for kind, draw in (("layers", layer_curves), ("heatmap", heat_map), ("spread", spread_over_layers)):
            save(draw(values, by_chance, name, origin, windowed), folder / f"{name.replace('@', '_at_')}_{kind}")


def layer_curves(
    values: pd.DataFrame, by_chance: float, name: str, origin: str, windowed: Collection[int] = ()
) -> Figure:
    """The layer-variance plot: a panel per heuristic with its mean over prompts and the middle 80 % of them.

    Args:
        values: index (heuristic, sample), columns layers.
        by_chance: what a random ranking scores.
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


def layer_ticks(layers: Sequence[int], windowed: Collection[int], most: int) -> tuple[list[int], list[str]]:
    """Places and names of about ``most`` of the layers, evenly spread; windowed ones have a w.

    >>> layer_ticks([0, 1, 2, 5], windowed=[2], most=2)
    ([0, 2], ['0', '2w'])
    """
    places = list(range(0, len(layers), max(1, len(layers) // most)))
    return places, [f"{layers[place]}{'w' * (layers[place] in windowed)}" for place in places]


def plain_axes(axes: Axes) -> None:
    """Axes without a box, with a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25, linewidth=0.5)


def save(figure: Figure, path: Path) -> None:
    """Writes ``path``.png and ``path``.pdf."""
    for suffix in (".png", ".pdf"):
        with whole_file(path.with_name(path.name + suffix)) as temporary:
            figure.savefig(temporary, dpi=150, metadata={"CreationDate": None} if suffix == ".pdf" else None)
