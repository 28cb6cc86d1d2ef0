"""The agreement of all rankings with the oracle at each layer: all heuristics on one axis, and a panel a heuristic."""

from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from tokenrank.records.schema import is_bound
from tokenrank.report.pictures.contestant_style import GREY, is_grey, styles
from tokenrank.report.pictures.cut_bars import mark_cut
from tokenrank.report.pictures.drawing import ACCENT, DOUBLE, PANELS_A_ROW, SINGLE, legend_below, plain_axes, title
from tokenrank.report.pictures.layer_values import LayerValues
from tokenrank.report.pictures.score_range import widened

FEW = 4  # heuristics, bounds and controls apart, up to which lines on one axis have their intervals
TITLED = 22  # letters of a line of a panel's title
MARKS = 7  # markers along a line, about
CHANCE: dict[str, Any] = {"color": "#a0a0a0", "linewidth": 0.9, "zorder": 1}
INTERVAL = 0.3  # opacity of the bands
SPREAD: dict[str, Any] = {"linewidth": 0.5}  # lines, which are seen on a band that is wider and on one that is narrower
ALONE = 0.2  # half of the width of bands where there is one layer alone
WINDOWED = "#eeeeee"
BESIDE = 0.4  # of the width of the curves: the means over layers
ROOM = 16  # heuristics beside each other; bars of more are narrower
THICK: dict[str, Any] = {"linewidth": 2.2, "solid_capstyle": "butt", "alpha": 0.4, "zorder": 2}
THIN: dict[str, Any] = {"linewidth": 0.6, "solid_capstyle": "butt", "zorder": 3}
SAID_INTERVAL, SAID_SPREAD = "95 % interval of the mean", "10 % to 90 % of the prompts"


def layer_curves(shown: LayerValues) -> Figure:
    """All heuristics on one axis, at the width of one column: means over prompts, in the legend by their mean over layers.

    Beside it, in the same order, each one's mean over layers, with its 95 % interval and the spread over prompts. Lines of up to four
    methods have the interval at each layer as a band.
    """
    figure = Figure(figsize=(SINGLE, 2.35), layout="constrained")
    axes, beside = figure.subplots(1, 2, sharey=True, width_ratios=[1, BESIDE])
    lines = draw_curves(axes, shown)
    _over_layers(beside, shown)
    title(figure, f"{shown.name} at each layer", shown.heading)
    entries: list[tuple[Artist, str, bool]] = [
        *((lines[name], name, True) for name in shown.heuristics),
        (Line2D([], [], **CHANCE), "chance", shown.chance_known),
        (Line2D([], [], color=GREY, **THICK), SAID_INTERVAL, bool(shown.low.notna().any(axis=None))),
        (Line2D([], [], color=GREY, **THIN), SAID_SPREAD, True),
        (Patch(color=WINDOWED), "windowed layer", bool(shown.windowed)),
    ]
    there = [(handle, name) for handle, name, holds in entries if holds]
    heading = "mean over prompts; order: mean over layers"
    legend_below(figure, [handle for handle, _ in there], [name for _, name in there], heading)
    return figure


def _over_layers(axes: Axes, shown: LayerValues) -> None:
    """A place a heuristic: its mean over layers, with its interval and the spread over prompts."""
    axes.set_xlim(-0.8, len(shown.heuristics) - 0.2)
    axes.set_ylim(*widened(*shown.range))
    looks, narrower = styles(shown.heuristics), min(1.0, ROOM / len(shown.heuristics))
    for place, name in enumerate(shown.heuristics):
        found: Any = shown.over_layers.loc[name]
        for each, thickness in (("mean", THICK), ("prompts", THIN)):
            low, high = found[f"{each} low"], found[f"{each} high"]
            width = narrower * thickness["linewidth"]
            axes.plot([place] * 2, [low, high], color=looks[name].colour, **(thickness | {"linewidth": width}))
            mark_cut(axes, [place], [low], [high], looks[name].colour)
        drawn: Any = looks[name].drawn() | {"linestyle": "none", "markersize": 0.7 * narrower * looks[name].size}
        axes.plot([place], [found["mean"]], label=name, clip_on=False, zorder=5, **drawn)
    if shown.chance_known:
        axes.axhline(shown.by_chance, label="chance", **CHANCE)
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0, labelleft=False)
    axes.set_xlabel("mean over\nlayers")
    plain_axes(axes)
    axes.spines["left"].set_visible(False)


def draw_curves(axes: Axes, shown: LayerValues) -> dict[str, Line2D]:
    """Draws the means of all heuristics over the layers; returns the line of each."""
    layers = shown.means.columns.to_numpy(dtype=float)
    looks = styles(shown.heuristics)
    lines: dict[str, Line2D] = {}
    banded = _banded(shown)
    every = max(1, len(layers) // MARKS)
    _ground(axes, shown)
    for number, name in reversed(list(enumerate(shown.heuristics))):  # the best are drawn last, on top
        drawn: Any = looks[name].drawn()
        marked = (number % every, every)  # markers of neighbouring lines are not above each other
        (lines[name],) = axes.plot(
            layers, shown.means.loc[name], label=name, markevery=marked, zorder=3, clip_on=False, **drawn
        )
        if name in banded:
            ends = shown.low.loc[name], shown.high.loc[name]
            axes.fill_between(layers, *ends, color=looks[name].colour, alpha=INTERVAL * 0.75, linewidth=0, zorder=2)
    axes.set_ylabel(shown.label)
    return lines


def _banded(shown: LayerValues) -> list[str]:
    methods = [name for name in shown.heuristics if not (is_grey(name) or is_bound(name))]
    there = shown.low.notna().any(axis=None)
    return methods if there and len(methods) <= FEW else []


def _ground(axes: Axes, shown: LayerValues) -> None:
    """Limits, layer numbers, the chance level if it is known, and a shade behind windowed layers."""
    layers = shown.means.columns.to_numpy(dtype=float)
    axes.set_ylim(*widened(*shown.range))
    axes.set_xlim(layers.min() - 0.5, layers.max() + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
    axes.set_xlabel("layer")
    if shown.chance_known:
        axes.axhline(shown.by_chance, label="chance", **CHANCE)
    for layer in sorted(shown.windowed):
        axes.axvspan(layer - 0.5, layer + 0.5, color=WINDOWED, linewidth=0, zorder=0)
    plain_axes(axes)


def prompt_bands(shown: LayerValues) -> Figure:
    """A panel a heuristic: the mean over prompts, its 95 % interval, and the 10th to 90th percentile of the prompts."""
    names = shown.heuristics
    columns = min(PANELS_A_ROW, len(names))
    rows = -(-len(names) // columns)
    width = DOUBLE if columns > 2 else SINGLE
    figure = Figure(figsize=(width, 0.75 + 1.15 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    looks = styles(names)
    for panel, name in zip(grid.flat, names, strict=False):
        _bands(panel, shown, name, looks[name].colour)
    for unused in grid.flat[len(names) :]:
        unused.set_visible(False)
    for panel in grid.flat:
        panel.set_xlabel("")
    for lowest in grid.flat[max(0, len(names) - columns) : len(names)]:
        lowest.tick_params(labelbottom=True)
        lowest.set_xlabel("layer")
    figure.supylabel(shown.label, fontsize=7.5)
    title(figure, f"{shown.name} at each layer, prompt by prompt", shown.heading)
    handles: list[Artist] = [Line2D([], [], color=ACCENT, linewidth=1.2)]
    said = ["mean over prompts"]
    if shown.low.notna().any(axis=None):
        handles.append(Patch(color=ACCENT, alpha=INTERVAL, linewidth=0))
        said.append(SAID_INTERVAL)
    handles.append(Patch(facecolor="none", edgecolor=ACCENT, **SPREAD))
    said.append(SAID_SPREAD)
    if shown.chance_known:
        handles.append(Line2D([], [], **CHANCE))
        said.append("chance")
    if shown.windowed:
        handles.append(Patch(color=WINDOWED))
        said.append("windowed layer")
    legend_below(figure, handles, said)
    return figure


def _bands(panel: Axes, shown: LayerValues, name: str, colour: str) -> None:
    layers = np.asarray(shown.means.columns, dtype=float)
    _ground(panel, shown)
    across, take = (layers, slice(None)) if len(layers) > 1 else (layers + np.array([-ALONE, ALONE]), [0, 0])
    frames = (shown.low, shown.high, shown.tenth, shown.ninetieth, shown.means)
    low, high, tenth, ninetieth, mean = (np.asarray(each.loc[name], dtype=float)[take] for each in frames)
    draw_ranges(panel, across, (low, high), (tenth, ninetieth), colour)
    panel.plot(across, mean, color=colour, linewidth=1.2, label="mean over prompts", zorder=3, clip_on=False)
    panel.set_title(fill(name, TITLED))


def draw_ranges(panel: Axes, across: Any, interval: tuple[Any, Any], spread: tuple[Any, Any], colour: str) -> None:
    """The interval of the mean as a band, and the spread over prompts as the outline of one: each is seen, whichever is the wider."""
    panel.fill_between(across, *interval, color=colour, alpha=INTERVAL, linewidth=0, label=SAID_INTERVAL, zorder=2)
    panel.fill_between(across, *spread, facecolor="none", edgecolor=colour, label=SAID_SPREAD, zorder=2.5, **SPREAD)
