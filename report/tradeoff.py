"""Accuracy, loss and KL against their cost: against the operations counted, and against the KV cache held after the prefill."""

from collections.abc import Sequence
from functools import partial
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation, Transform

from tokenrank.records.measures import ACCURACY, LABELS, LOWER_IS_BETTER
from tokenrank.records.schema import FULL, WHOSE_ENGINE, is_bound, is_control
from tokenrank.records.tables import Tables
from tokenrank.report.contestant_rows import absent, contestants, keep_rates, origin, over_all
from tokenrank.report.contestant_style import Style, styles
from tokenrank.report.drawing import INK, Pictures, plain_axes
from tokenrank.report.placing import Label, Placing
from tokenrank.report.protection import protected

OPERATIONS, MEMORY = "flops_ratio", "kv_ratio"
COSTS = {OPERATIONS: "flops", MEMORY: "kv"}  # in names of files
TITLES = {OPERATIONS: "FLOPs", MEMORY: "KV cache"}
ACROSS = {
    OPERATIONS: "FLOPs counted in the prefill, over the full prefill's",
    MEMORY: "KV cache after prefill, over the full prefill's",
}
BESIDE = 1.03  # of the axes' width: where the name of the full prefill's level begins
SIDEWAYS = 2.5  # points between contestants that cost equally much
LETTERS = 140  # of a line of the caption
INVERTED = "; axis inverted, so that up is better"  # of measures of which less is better
NAMES = {"kl": "KL"}  # in titles
BOUND = "Hollow and dashed: the oracle, which ranks by the answer itself; a bound, not a method"
FREE = "; its ranking costs no FLOPs here"
CONTROL = "Dotted: a control that keeps the first token and others at random."
WHOSE = "After the @: whose engine."
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
    figure = Figure(figsize=(8, 5.6), layout="constrained")
    axes = figure.subplots()
    names = contestants(tables)
    looks, points = styles(names), _points(tables, cost, measure)
    lines = [name for name in names if name != FULL]
    called: list[Label] = []
    for number, name in enumerate(lines):
        aside = SIDEWAYS * (number - (len(lines) - 1) / 2)
        where = axes.transData + ScaledTranslation(aside / 72, 0, figure.dpi_scale_trans)
        called += _line(axes, name, points[name].dropna(subset=["cost", "value"]), looks[name], where)
    level = _full(axes, points[FULL], looks[FULL]) if FULL in names else None
    if cost == MEMORY:
        axes.set_xscale("log", base=2)
        axes.set_xticks([k / 100 for k in keep_rates(tables)] + [1.0])
        axes.xaxis.set_major_formatter("{x:g}")
    plain_axes(axes)
    axes.margins(0.06)
    axes.set_xlabel(ACROSS[cost], fontsize=10)
    inverted = measure in LOWER_IS_BETTER
    if inverted:
        axes.invert_yaxis()
    between = "\n" if inverted else ", "
    axes.set_ylabel(f"{LABELS[measure]}{between}mean over prompts{INVERTED * inverted}", fontsize=10)
    figure.suptitle(f"{NAMES.get(measure, measure.capitalize())} against {TITLES[cost]}: {origin(tables)}", fontsize=11)
    figure.supxlabel(_caption(tables, points, cost, measure), fontsize=7.5, color="#555555", x=0.02, ha="left")
    if level is not None:
        axes.text(
            BESIDE, level, "full prefill", transform=axes.get_yaxis_transform(), va="center", fontsize=8, color=INK
        )
    placing = Placing(figure, axes)
    placing.names([label for label in called if label.weight == "bold"])
    placing.labels([label for label in called if label.weight != "bold"])
    return figure


def _points(tables: Tables, cost: str, measure: str) -> dict[str, pd.DataFrame]:
    """Contestant -> index keep rates; columns cost, value, and low and high of its interval (NaN: it has none)."""
    found = {
        "cost": over_all(tables, cost),
        **{each: over_all(tables, measure, each) for each in ("value", "low", "high")},
    }
    return {name: pd.DataFrame({each: wide.loc[name] for each, wide in found.items()}) for name in contestants(tables)}


def _line(axes: Axes, name: str, points: pd.DataFrame, look: Style, where: Transform) -> list[Label]:
    """Draws one contestant; returns its name (bold), which belongs to its rightmost point, and its keep rates."""
    if points.empty:
        return []
    across, up = points["cost"].to_numpy(), points["value"].to_numpy()
    axes.plot(across, up, label=name, zorder=4, transform=where, **look.drawn())  # type: ignore[arg-type]
    _bars(axes, points, look, where)
    for each in ("value", "low", "high"):  # what is moved sideways would not count for the limits
        axes.update_datalim(points[["cost", each]].dropna().to_numpy())
    rates = [Label(f"{k:g}", x, y, where, look.colour, 7) for k, x, y in zip(points.index, across, up, strict=True)]
    last = int(np.argmax(across))
    return [Label(name, across[last], up[last], where, look.colour, 9, "bold"), *rates]


def _bars(axes: Axes, points: pd.DataFrame, look: Style, where: Transform) -> None:
    ends = points.dropna()
    axes.vlines(
        ends["cost"], ends["low"], ends["high"], color=look.colour, linewidth=1, alpha=0.4, zorder=2, transform=where
    )


def _full(axes: Axes, points: pd.DataFrame, look: Style) -> float | None:
    """Draws the full prefill, whose value is the same at every keep rate; returns it."""
    there = points.dropna(subset=["cost", "value"]).head(1)
    if there.empty:
        return None
    axes.axhline(there["value"].item(), color=INK, linewidth=1, zorder=1)
    axes.plot(there["cost"], there["value"], label=FULL, zorder=5, **look.drawn())  # type: ignore[arg-type]
    _bars(axes, there, look, axes.transData)
    return float(there["value"].item())


def _caption(tables: Tables, points: dict[str, pd.DataFrame], cost: str, measure: str) -> str:
    """How to read the picture, and what is missing in it."""
    missing = absent(tables, {measure: list(points), cost: list(points)})
    said = {
        "Numbers at points: keep rate in %.": True,
        "Bars: 95 % interval of the mean.": any(each["low"].notna().any() for each in points.values()),
        MOVED: True,
        BOUND + (FREE if cost == OPERATIONS else "") + ".": any(map(is_bound, points)),
        CONTROL: any(map(is_control, points)),
        WHOSE: any(WHOSE_ENGINE in name and (is_bound(name) or is_control(name)) for name in points),
        **dict.fromkeys((f"{each}." for each in protected(tables.runs)), True),
        f"Not measured: {missing}.": bool(missing),
    }
    return fill(" ".join(sentence for sentence, holds in said.items() if holds), LETTERS, break_on_hyphens=False)
