"""A study: a metric against the values of a setting, for each heuristic that has the setting."""

from collections.abc import Mapping
from functools import partial
from textwrap import fill
from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from tokenrank.records.schema import ORACLE
from tokenrank.records.tables import Tables
from tokenrank.report.pictures.contestant_style import GREY
from tokenrank.report.pictures.drawing import (
    ACCENT,
    DOUBLE,
    PANELS_A_ROW,
    SINGLE,
    Pictures,
    file_name,
    legend_below,
    plain_axes,
    title,
)  # fmt: skip
from tokenrank.report.pictures.layer_curves import (
    CHANCE,
    INTERVAL,
    SAID_INTERVAL,
    SAID_SPREAD,
    SPREAD,
    TITLED,
    draw_ranges,
)
from tokenrank.report.pictures.layer_values import SPREAD as PERCENTILES
from tokenrank.report.pictures.score_range import CUT, cropped, is_cut, score_range, widened
from tokenrank.report.rows.ranking_rows import (
    chance,
    heading,
    label,
    over_layers,
    over_prompts,
    picture_name,
    shared,
)

CURVES: dict[str, tuple[str, dict[str, Any]]] = {  # statistic -> its name and look
    "mean": ("mean over layers", {"color": ACCENT, "marker": "o"}),
    "worst": ("worst layer", {"color": "#7a4b94", "marker": "v", "linestyle": "-."}),
}
ALL_BUT = 1 - 1e-9  # from here on the oracle is 1 by definition, and says nothing


def study_pictures(tables: Tables, study: Mapping[str, Any], k: float) -> Pictures:
    """study_NAME_METRIC; none if no prompt was ranked.

    Args:
        tables: of the run.
        study: of the run's config.yaml: ``name``, ``metric``, ``label`` and ``scale`` of the axis, and ``points``, which maps each
            name in the table to its heuristic and value.
        k: percent; which k is drawn of a metric that has one.
    """
    metric = study["metric"]
    if over_layers(tables.summary, metric, "mean", k).empty:
        return {}
    name = label(tables.metrics, metric, k)
    return {
        f"study_{study['name']}_{picture_name(tables, metric, file_name(name))}": partial(
            study_curves, tables, study, k
        )
    }


def per_value(summary: pd.DataFrame, points: Mapping[str, Any], metric: str, statistic: str, k: float) -> pd.DataFrame:
    """One statistic over layers: index (heuristic, parameter), parameters ascending.

    Columns ``value``, ``low`` and ``high``: the mean over prompts and its 95 % interval, as in summary.parquet; ``tenth`` and
    ``ninetieth``: percentiles of these prompts.
    """
    rows = over_layers(summary, metric, statistic, k)
    rows = rows[rows["sample"].isin(shared(rows))]
    of_prompts = rows.groupby("heuristic")["value"]
    found = over_prompts(summary, metric, statistic, k)[["value", "low", "high"]].astype(float)
    found = found.assign(**{
        name: of_prompts.quantile(percent / 100) for name, percent in zip(("tenth", "ninetieth"), PERCENTILES, strict=True)
    })  # fmt: skip
    found = found[found.index.isin(list(points))]
    whose = [(points[name]["heuristic"], points[name]["value"]) for name in found.index]
    found.index = pd.MultiIndex.from_tuples(whose, names=["heuristic", "parameter"])
    order = found.index.get_level_values("heuristic").unique()
    return found.sort_index(level="parameter").reindex(order, level="heuristic")


def study_curves(tables: Tables, study: Mapping[str, Any], k: float) -> Figure:
    """A panel a heuristic: mean over layers and worst layer, with intervals of the mean and the spread over prompts.

    Lines across are the chance level, and the oracle where it is not 1 by definition.

    Args:
        tables: of the run.
        study: as for ``study_pictures``.
        k: percent.

    Raises:
        ValueError: no prompt has all values of the study.
    """
    metric, summary = study["metric"], tables.summary
    curves = {each: per_value(summary, study["points"], metric, each, k) for each in CURVES}
    if any(each["value"].dropna().empty for each in curves.values()):
        raise ValueError(f"{study['name']}: no prompt has all values of the study")
    rows, name = over_layers(summary, metric, "mean", k), label(tables.metrics, metric, k)
    levels = _levels(tables, metric, k)
    shown = pd.concat(curves.values())
    ends = [pd.concat([shown[one], shown[other]]) for one, other in (("low", "tenth"), ("high", "ninetieth"))]
    limits = score_range(metric, [*shown["value"], *levels.values()], *ends)
    figure, panels = _panels(list(curves["mean"].index.get_level_values("heuristic").unique()))
    for heuristic, panel in panels.items():
        for statistic, (_, look) in CURVES.items():
            _curve(panel, curves[statistic].xs(heuristic), look)
        for level, value in levels.items():
            panel.axhline(value, **LEVELS[level])
        panel.set_ylim(*widened(*limits))
        if study["scale"] == "log":
            panel.set_xscale("log", base=2)
            panel.xaxis.set_major_formatter("{x:g}")
        panel.set_xlabel(study["label"])
    figure.supylabel(name + cropped(metric, limits[0]) + CUT * is_cut(widened(*limits), *ends), fontsize=7.5)
    own_k = k if tables.metrics.loc[tables.metrics["metric"] == metric, "k"].notna().any() else None
    title(figure, f"{study['name']}: {name}", heading(tables, len(shared(rows)), own_k, metric))
    _legend(figure, list(levels), intervals=bool(curves["mean"]["low"].notna().any()))
    return figure


LEVELS: dict[str, dict[str, Any]] = {
    "chance": CHANCE,
    ORACLE: {"color": "#000000", "linestyle": "--", "linewidth": 0.9, "zorder": 1},
}


def _levels(tables: Tables, metric: str, k: float) -> dict[str, float]:
    known = over_prompts(tables.summary, metric, "mean", k)["value"]
    by_chance = chance(tables.metrics, metric, k)
    found = {"chance": by_chance} if pd.notna(by_chance) else {}
    bound = float(known[ORACLE]) if ORACLE in known.index else 1.0
    return found | ({ORACLE: bound} if bound < ALL_BUT else {})


def _panels(heuristics: list[str]) -> tuple[Figure, dict[str, Axes]]:
    columns = min(PANELS_A_ROW, len(heuristics))
    rows = -(-len(heuristics) // columns)
    figure = Figure(figsize=(DOUBLE if columns > 1 else SINGLE, 0.6 + 1.9 * rows), layout="constrained")
    grid = list(figure.subplots(rows, columns, sharey=True, squeeze=False).flat)
    for unused in grid[len(heuristics) :]:
        unused.set_visible(False)
    for panel, heuristic in zip(grid, heuristics, strict=False):
        panel.set_title(fill(heuristic, TITLED))
        plain_axes(panel)
    return figure, dict(zip(heuristics, grid, strict=False))


def _curve(panel: Axes, found: "pd.DataFrame | pd.Series[float]", look: Mapping[str, Any]) -> None:
    values = found.index.to_numpy(dtype=float)
    ends = [(found[low], found[high]) for low, high in (("low", "high"), ("tenth", "ninetieth"))]
    draw_ranges(panel, values, ends[0], ends[1], look["color"])
    panel.plot(values, found["value"], linewidth=1.2, markersize=3.2, clip_on=False, **look)


def _legend(figure: Figure, levels: list[str], *, intervals: bool) -> None:
    handles: list[Artist] = [Line2D([], [], linewidth=1.2, markersize=3.2, **look) for _, look in CURVES.values()]
    names = [name for name, _ in CURVES.values()]
    if intervals:
        handles.append(Patch(color=GREY, alpha=INTERVAL, linewidth=0))
        names.append(SAID_INTERVAL)
    handles += [
        Patch(facecolor="none", edgecolor=GREY, **SPREAD),
        *(Line2D([], [], **LEVELS[level]) for level in levels),
    ]
    legend_below(figure, handles, [*names, SAID_SPREAD, *levels])
