"""Accuracy against its cost: against the operations counted, and against the KV cache held after the prefill."""

from functools import partial
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation, Transform

from tokenrank.records.schema import FULL, ORACLE, RANDOM
from tokenrank.records.tables import Tables
from tokenrank.report.contestant_rows import absent, contestants, keep_rates, origin, over_all
from tokenrank.report.contestant_style import Style, styles
from tokenrank.report.drawing import INK, Pictures, plain_axes
from tokenrank.report.placing import Label, Placing

OPERATIONS, MEMORY = "flops_ratio", "kv_ratio"
NAMES = {OPERATIONS: "accuracy_against_flops", MEMORY: "accuracy_against_kv"}
TITLES = {OPERATIONS: "Accuracy against FLOPs", MEMORY: "Accuracy against KV cache"}
ACROSS = {
    OPERATIONS: "FLOPs counted in the prefill, over the full prefill's",
    MEMORY: "KV cache after prefill, over the full prefill's",
}
BESIDE = 1.03  # of the axes' width: where the name of the full prefill's level begins
SIDEWAYS = 2.5  # points between contestants that cost equally much
LETTERS = 140  # of a line of the caption
BOUND = "oracle: ranks by the answer itself; an upper bound, not a method"
FREE = "; its ranking costs no FLOPs here"
CONTROL = "random: a control that keeps tokens at random."
MOVED = "Points are moved sideways a little, so that none hides another."


def tradeoff_pictures(tables: Tables) -> Pictures:
    """accuracy_against_flops and accuracy_against_kv; none if no prompt was answered.

    Args:
        tables: of a run of evaluation=accuracy.
    """
    if tables.metrics.empty or over_all(tables, "accuracy").isna().all(axis=None):
        return {}
    return {name: partial(tradeoff, tables, cost) for cost, name in NAMES.items()}


def tradeoff(tables: Tables, cost: str) -> Figure:
    """A line a contestant through its keep rates; the full prefill as a star, and its accuracy as a line across.

    The oracle's ranking is known before its prefill, so its operations are those of the engine alone.

    Args:
        tables: of a run of evaluation=accuracy.
        cost: ``flops_ratio`` or ``kv_ratio``, means over prompts.
    """
    figure = Figure(figsize=(8, 5.6), layout="constrained")
    axes = figure.subplots()
    names = contestants(tables)
    looks, points = styles(names), _points(tables, cost)
    lines = [name for name in names if name != FULL]
    called: list[Label] = []
    for number, name in enumerate(lines):
        aside = SIDEWAYS * (number - (len(lines) - 1) / 2)
        where = axes.transData + ScaledTranslation(aside / 72, 0, figure.dpi_scale_trans)
        called += _line(axes, name, points[name].dropna(subset=["cost", "accuracy"]), looks[name], where)
    level = _full(axes, points[FULL], looks[FULL]) if FULL in names else None
    if cost == MEMORY:
        axes.set_xscale("log", base=2)
        axes.set_xticks([k / 100 for k in keep_rates(tables)] + [1.0])
        axes.xaxis.set_major_formatter("{x:g}")
    plain_axes(axes)
    axes.margins(0.06)
    axes.set_xlabel(ACROSS[cost], fontsize=10)
    axes.set_ylabel("accuracy, mean over prompts", fontsize=10)
    figure.suptitle(f"{TITLES[cost]}: {origin(tables)}", fontsize=11)
    figure.supxlabel(_caption(tables, points, cost), fontsize=7.5, color="#555555", x=0.02, ha="left")
    if level is not None:
        axes.text(
            BESIDE, level, "full prefill", transform=axes.get_yaxis_transform(), va="center", fontsize=8, color=INK
        )
    placing = Placing(figure, axes)
    placing.names([label for label in called if label.weight == "bold"])
    placing.labels([label for label in called if label.weight != "bold"])
    return figure


def _points(tables: Tables, cost: str) -> dict[str, pd.DataFrame]:
    """Contestant -> index keep rates; columns cost, accuracy, and low and high of its interval (NaN: it has none)."""
    found = {"cost": over_all(tables, cost), "accuracy": over_all(tables, "accuracy")}
    found |= {end: over_all(tables, "accuracy", end) for end in ("low", "high")}
    return {name: pd.DataFrame({each: wide.loc[name] for each, wide in found.items()}) for name in contestants(tables)}


def _line(axes: Axes, name: str, points: pd.DataFrame, look: Style, where: Transform) -> list[Label]:
    """Draws one contestant; returns its name (bold), which belongs to its rightmost point, and its keep rates."""
    if points.empty:
        return []
    across, up = points["cost"].to_numpy(), points["accuracy"].to_numpy()
    axes.plot(across, up, label=name, zorder=4, transform=where, **look.drawn())  # type: ignore[arg-type]
    _bars(axes, points, look, where)
    for each in ("accuracy", "low", "high"):  # what is moved sideways would not count for the limits
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
    """Draws the full prefill, whose value is the same at every keep rate; returns its accuracy."""
    there = points.dropna(subset=["cost", "accuracy"]).head(1)
    if there.empty:
        return None
    axes.axhline(there["accuracy"].item(), color=INK, linewidth=1, zorder=1)
    axes.plot(there["cost"], there["accuracy"], label=FULL, zorder=5, **look.drawn())  # type: ignore[arg-type]
    _bars(axes, there, look, axes.transData)
    return float(there["accuracy"].item())


def _caption(tables: Tables, points: dict[str, pd.DataFrame], cost: str) -> str:
    """How to read the picture, and what is missing in it."""
    missing = absent(tables, {"accuracy": list(points), cost: list(points)})
    said = {
        "Numbers at points: keep rate in %.": True,
        "Bars: bootstrap 95 % interval of the mean.": any(each["low"].notna().any() for each in points.values()),
        MOVED: True,
        BOUND + (FREE if cost == OPERATIONS else "") + ".": ORACLE in points,
        CONTROL: RANDOM in points,
        f"Not measured: {missing}.": bool(missing),
    }
    return fill(" ".join(sentence for sentence, holds in said.items() if holds), LETTERS)
