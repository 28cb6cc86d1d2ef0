"""Accuracy, loss and KL against their cost: against the operations counted, and against the KV cache held after the prefill."""

from collections.abc import Sequence
from functools import partial
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation, Transform

from tokenrank.records.measures import ACCURACY, LABELS, LOWER_IS_BETTER, SHARES
from tokenrank.records.schema import FULL, WHOSE_ENGINE, is_bound
from tokenrank.records.tables import Tables
from tokenrank.report.pictures.contestant_style import Style, is_grey, styles
from tokenrank.report.pictures.cut_bars import mark_cut
from tokenrank.report.pictures.drawing import DOUBLE, INK, Pictures, caption, plain_axes, title
from tokenrank.report.pictures.result_order import by_result
from tokenrank.report.pictures.score_range import MARGIN, is_cut, within_reach
from tokenrank.report.rows.contestant_rows import absent, contestants, keep_rates, over_all, prompts
from tokenrank.report.rows.protection import protected
from tokenrank.report.rows.ranking_rows import heading

OPERATIONS, MEMORY = "flops_ratio", "kv_ratio"
COSTS = {OPERATIONS: "flops", MEMORY: "kv"}  # in names of files
TITLES = {OPERATIONS: "FLOPs", MEMORY: "KV cache"}
ACROSS = {
    OPERATIONS: "FLOPs counted in the prefill, over the full prefill's",
    MEMORY: "KV cache after prefill, over the full prefill's",
}
SIDEWAYS = 1.8  # points between contestants that cost equally much
GROWTH = (0.7, 1.3)  # of markers, from the lowest keep rate to the highest
LETTERS = 18  # of a line of a name in the legend
HEIGHT, LINE = 3.9, 0.14  # inches: of a figure at least, and of a line of the legend
INVERTED = "; axis inverted, so that up is better"  # of measures of which less is better
CROPPED = " (0 to 1, cropped)"
NAMES = {"kl": "KL"}  # in titles
BOUND = "Hollow and dashed: the oracle, which ranks by the answer itself; a reference, not a method"
FREE = "; its ranking costs no FLOPs here"
CONTROL = "Grey and dotted: controls, which no method should lose to."
WHOSE = "After the @: whose engine."
BARS = "Bars: 95 % interval of the mean"
CARETS = "; a caret at the border: longer than is shown"
EMPTY = 0.05  # of the axis, at each end
MOVED = "Points are moved sideways a little, so that none hides another."


def tradeoff_pictures(tables: Tables, measures: Sequence[str]) -> Pictures:
    """MEASURE_against_flops and MEASURE_against_kv of each measure that some contestant has.

    Args:
        tables: of a run of evaluation=accuracy or evaluation=fidelity.
        measures: their names.
    """
    there = [each for each in measures if len(tables.metrics) and over_all(tables, each).notna().any(axis=None)]
    return {
        f"{measure}_against_{name}": partial(tradeoff, tables, cost, measure)
        for measure in there
        for cost, name in COSTS.items()
    }


def tradeoff(tables: Tables, cost: str, measure: str = ACCURACY) -> Figure:
    """A line a contestant through its keep rates; the full prefill as a star, and its value as a line across.

    Better is up: of a measure of which less is better the axis is inverted. The oracle's ranking is known before its prefill, so its
    operations are those of the engine alone.

    Args:
        tables: of a run of evaluation=accuracy or evaluation=fidelity.
        cost: ``flops_ratio`` or ``kv_ratio``, means over prompts.
        measure: name of what is drawn against it, means over prompts.
    """
    called = {name: fill("full prefill" if name == FULL else name, LETTERS) for name in contestants(tables)}
    written = sum(1 + name.count("\n") for name in called.values())
    figure = Figure(figsize=(DOUBLE, max(HEIGHT, 0.9 + LINE * written)), layout="constrained")
    axes = figure.subplots()
    points, lower = _points(tables, cost, measure), measure in LOWER_IS_BETTER
    results = pd.Series({name: each["value"].mean() for name, each in points.items()}, dtype=float)
    names = by_result(results, lower_is_better=lower)
    looks, lines = styles(contestants(tables)), [name for name in names if name != FULL]
    limits = _limits(points, measure)
    axes.set_ylim(*(limits[::-1] if lower else limits))
    handles: dict[str, Line2D] = {}
    for number, name in enumerate(lines):
        aside = SIDEWAYS * (number - (len(lines) - 1) / 2)
        where = axes.transData + ScaledTranslation(aside / 72, 0, figure.dpi_scale_trans)
        handles[name] = _line(axes, name, points[name], looks[name], where)
    if FULL in names and (star := _full(axes, points[FULL], looks[FULL])) is not None:
        handles[FULL] = star
    if cost == MEMORY:
        axes.set_xscale("log", base=2)
        axes.set_xticks([k / 100 for k in keep_rates(tables)] + [1.0])
        axes.xaxis.set_major_formatter("{x:g}")
    plain_axes(axes)
    axes.margins(x=EMPTY)
    axes.set_xlabel(ACROSS[cost])
    some = CROPPED * (measure in SHARES and (limits[0] > 0 or limits[1] < 1))
    between = "\n" if lower else ", "
    axes.set_ylabel(f"{LABELS[measure]}{some}{between}mean over prompts{INVERTED * lower}")
    counts = over_all(tables, measure, "prompts").to_numpy()
    count = prompts(tables) if np.isnan(counts).all() else int(np.nanmax(counts))
    named = NAMES.get(measure, measure.capitalize())
    title(figure, f"{named} against {TITLES[cost]}", heading(tables, count))
    caption(figure, _caption(tables, points, cost, measure, limits))
    shown = [name for name in names if name in handles]
    figure.legend([handles[name] for name in shown], [called[name] for name in shown], loc="outside right center")
    return figure


def _limits(points: dict[str, pd.DataFrame], measure: str) -> tuple[float, float]:
    """Ends of the axis, lower first: bars as ``within_reach`` says, and what the measure cannot be only for the size of a marker."""
    drawn = pd.concat(points.values()).dropna(subset=["cost", "value"])
    least, most = within_reach(drawn["value"], drawn["low"], drawn["high"])
    room = EMPTY * (most - least) or EMPTY
    low, high = least - room, most + room
    if measure in SHARES:
        return max(low, -MARGIN), min(high, 1 + MARGIN)
    if measure in LOWER_IS_BETTER and least >= 0:
        return max(low, -MARGIN * high), high
    return low, high


def _points(tables: Tables, cost: str, measure: str) -> dict[str, pd.DataFrame]:
    """Contestant -> index keep rates; columns cost, value, and low and high of its interval (NaN: it has none)."""
    found = {
        "cost": over_all(tables, cost),
        **{each: over_all(tables, measure, each) for each in ("value", "low", "high")},
    }
    return {name: pd.DataFrame({each: wide.loc[name] for each, wide in found.items()}) for name in contestants(tables)}


def _line(axes: Axes, name: str, points: pd.DataFrame, look: Style, where: Transform) -> Line2D:
    """Draws one contestant, with markers that grow with the keep rate; returns what the legend shows of it."""
    drawn: Any = look.drawn()
    sizes = dict(zip(points.index, look.size * np.linspace(*GROWTH, max(2, len(points))), strict=False))
    points = points.dropna(subset=["cost", "value"])
    axes.plot(points["cost"], points["value"], label=name, zorder=4, transform=where, **(drawn | {"marker": "none"}))
    _bars(axes, points, look, where)
    for keep, point in points.iterrows():
        marked = drawn | {"markersize": sizes[keep], "linestyle": "none"}
        axes.plot([point["cost"]], [point["value"]], zorder=5, transform=where, **marked)
    axes.update_datalim(points[["cost", "value"]].to_numpy())  # what is moved sideways would not count for the limits
    return Line2D([], [], **drawn)


def _bars(axes: Axes, points: pd.DataFrame, look: Style, where: Transform) -> None:
    ends = points.dropna()
    axes.vlines(
        ends["cost"], ends["low"], ends["high"], color=look.colour, linewidth=1, alpha=0.4, zorder=2, transform=where
    )
    mark_cut(axes, ends["cost"], ends["low"], ends["high"], look.colour, where)


def _full(axes: Axes, points: pd.DataFrame, look: Style) -> Line2D | None:
    """Draws the full prefill, whose value is the same at every keep rate, as a star and a line across."""
    there = points.dropna(subset=["cost", "value"]).head(1)
    if there.empty:
        return None
    axes.axhline(there["value"].item(), color=INK, linewidth=0.8, zorder=1)
    drawn: Any = look.drawn()
    (star,) = axes.plot(there["cost"], there["value"], label=FULL, zorder=6, clip_on=False, **drawn)
    _bars(axes, there, look, axes.transData)
    return star


def _caption(
    tables: Tables, points: dict[str, pd.DataFrame], cost: str, measure: str, limits: tuple[float, float]
) -> str:
    """How to read the picture, and what is missing in it."""
    drawn = pd.concat(points.values()).dropna(subset=["cost", "value"])
    missing = absent(tables, {measure: list(points), cost: list(points)})
    rates = ", ".join(f"{keep:g}" for keep in keep_rates(tables))
    said = {
        f"Along a line, with growing markers: keep rates {rates}\N{NO-BREAK SPACE}%.": set(points) != {FULL},
        f"{BARS}{CARETS * is_cut(limits, drawn['low'], drawn['high'])}.": drawn["low"].notna().any(),
        MOVED: len(points) > 1,
        BOUND + (FREE if cost == OPERATIONS else "") + ".": any(map(is_bound, points)),
        CONTROL: any(map(is_grey, points)),
        WHOSE: any(WHOSE_ENGINE in name and (is_bound(name) or is_grey(name)) for name in points),
        **dict.fromkeys((f"{each}." for each in protected(tables.runs)), True),
        f"Not measured: {missing}.": bool(missing),
    }
    return " ".join(sentence for sentence, holds in said.items() if holds)
