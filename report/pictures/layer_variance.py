"""The layer-variance plot: layer curves, and beside them what each heuristic has on average and at its worst layer."""

from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from tokenrank.report.pictures.contestant_style import styles
from tokenrank.report.pictures.cut_bars import mark_cut
from tokenrank.report.pictures.drawing import DOUBLE, INK, legend_below, plain_axes, title
from tokenrank.report.pictures.layer_curves import CHANCE, SAID_INTERVAL, SAID_SPREAD, draw_curves
from tokenrank.report.pictures.layer_values import LayerValues
from tokenrank.report.pictures.score_range import widened

ROW, LINE = 0.2, 0.14  # inches of a row, and of a line of a name
LETTERS = 20  # of a line of a name
UPPER, LOWER = 0.17, -0.2  # of a row: where the mean and where the layers are
THICK: dict[str, Any] = {"linewidth": 3, "solid_capstyle": "butt", "alpha": 0.4, "zorder": 3}
THIN: dict[str, Any] = {"linewidth": 0.8, "solid_capstyle": "butt", "zorder": 2}
LAYER: dict[str, Any] = {"linestyle": "none", "marker": "|", "markersize": 4, "markeredgewidth": 0.6, "alpha": 0.55}
OF_WINDOW: dict[str, Any] = {
    "linestyle": "none",
    "marker": "x",
    "markersize": 2.6,
    "markeredgewidth": 0.6,
    "alpha": 0.9,
}
HALO = [withStroke(linewidth=2, foreground="white")]  # round a mean, for strokes are on a bar of their own colour
WORST: dict[str, Any] = {"linestyle": "none", "marker": "v", "markersize": 4, "markerfacecolor": "white", "zorder": 4}


def layer_variance(shown: LayerValues) -> Figure:
    """Left: the layer curves of all heuristics. Right: a row a heuristic, from the best mean over layers to the worst.

    A row shows the mean over layers with its interval and the spread over prompts, and below these every layer's mean over prompts
    and the mean of each prompt's worst layer.
    """
    names = [fill(name, LETTERS) for name in shown.heuristics]
    height = len(names) * max(ROW, LINE * max(1 + name.count("\n") for name in names))
    figure = Figure(figsize=(DOUBLE, max(2.1, 0.75 + height)), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.15, 1])
    draw_curves(left, shown)
    right.set_xlim(*widened(*shown.range))
    for place, name in enumerate(reversed(shown.heuristics)):
        _row(right, shown, name, place)
    if shown.chance_known:
        right.axvline(shown.by_chance, label="chance", **CHANCE)
    right.set_ylim(-0.6, len(names) - 0.4)
    right.set_yticks(range(len(names)), names[::-1])
    right.tick_params(axis="y", length=0)
    looks = styles(shown.heuristics)
    for text, name in zip(right.get_yticklabels(), reversed(shown.heuristics), strict=True):
        text.set_color(looks[name].colour)
    right.set_xlabel(shown.label)
    plain_axes(right)
    right.grid(visible=False, axis="y")
    _lowest(right, shown)
    title(figure, f"{shown.name}: mean over layers, spread over layers, worst layer", shown.heading)
    _legend(figure, shown)
    return figure


def _row(axes: Axes, shown: LayerValues, name: str, place: int) -> None:
    look = styles(shown.heuristics)[name]
    colour = look.colour
    found: Any = shown.over_layers.loc[name]
    for each, height, thickness in (("prompts", UPPER, THIN), ("mean", UPPER, THICK), ("worst", LOWER, THICK)):
        low, high = found[f"{each} low"], found[f"{each} high"]
        axes.plot([low, high], [place + height] * 2, color=colour, **thickness)
        mark_cut(axes, [place + height], [low], [high], colour, sideways=True)
    drawn: Any = look.drawn() | {"linestyle": "none", "path_effects": HALO}
    axes.plot([found["mean"]], [place + UPPER], label=name, clip_on=False, zorder=5, **drawn)
    means, windowed = shown.means.loc[name], np.isin(shown.means.columns, list(shown.windowed))
    for own, marks in ((~windowed, LAYER), (windowed, OF_WINDOW)):
        if own.any():
            axes.plot(means[own], [place + LOWER] * int(own.sum()), color=colour, clip_on=False, **marks)
    axes.plot([found["worst"]], [place + LOWER], color=colour, clip_on=False, **WORST)


def _lowest(axes: Axes, shown: LayerValues) -> None:
    """Beside each row the number of the heuristic's worst layer, unless all are alike; every other row is shaded."""
    beside, lowest = axes.get_yaxis_transform(), shown.lowest
    for place, name in enumerate(reversed(shown.heuristics)):
        if name in lowest:
            axes.text(1.03, place, f"{lowest[name]}", transform=beside, va="center", fontsize=7)
        if place % 2:
            axes.axhspan(place - 0.5, place + 0.5, color="#f4f4f4", linewidth=0, zorder=0)
    some = "full-attention " if shown.some_layers else ""
    axes.text(
        1.1, 0.5, f"{some}layer with the lowest mean", transform=axes.transAxes, rotation=270, va="center", fontsize=6.5
    )


def _legend(figure: Figure, shown: LayerValues) -> None:
    """Names what a row shows; the rows name the heuristics, whose curves have the same colour and marker."""
    some = "full-attention " if shown.some_layers else ""
    grey: dict[str, Any] = {"color": INK}
    known = shown.over_layers
    entries: list[tuple[Artist, str, bool]] = [
        (Line2D([], [], linestyle="none", marker="o", markersize=4, **grey), f"mean over {some}layers", True),
        (Line2D([], [], **grey, **THICK), SAID_INTERVAL, bool(known["mean low"].notna().any())),
        (Line2D([], [], **grey, **THIN), SAID_SPREAD, True),
        (Line2D([], [], **grey, **LAYER), f"a {some}layer, mean over prompts", True),
        (Line2D([], [], **grey, **OF_WINDOW), "a windowed layer, mean over prompts", bool(shown.windowed)),
        (Line2D([], [], **grey, **WORST), f"worst {some}layer of each prompt, mean over prompts", True),
        (Line2D([], [], **CHANCE), "chance", shown.chance_known),
    ]
    there = [(handle, name) for handle, name, holds in entries if holds]
    legend_below(figure, [handle for handle, _ in there], [name for _, name in there])
