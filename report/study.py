"""A study: a metric against the values of a setting, for each heuristic that has the setting."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tokenrank.records.schema import ORACLE
from tokenrank.records.tables import Tables
from tokenrank.report.drawing import ACCENT, BAND, INK, REFERENCE, Pictures, file_name, plain_axes
from tokenrank.report.ranking_rows import chance, label, origin, over_layers

WORST, WORST_BAND = "#7a4b94", "#d9c6e3"
ALL_BUT = 1 - 1e-9  # from here on the oracle is 1 by definition; drawing it would only compress the rest


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
    return {f"study_{study['name']}_{file_name(name)}": partial(_picture, tables, study, k)}


def _picture(tables: Tables, study: Mapping[str, Any], k: float) -> Figure:
    metric, summary = study["metric"], tables.summary
    name = label(tables.metrics, metric, k)
    curves = {each: per_value(summary, study["points"], metric, each, k) for each in ("mean", "worst")}
    known = over_layers(summary, metric, "mean", k)
    bound = float(known.loc[known["heuristic"] == ORACLE, "value"].mean())
    levels = {"chance": chance(tables.metrics, metric, k)} | ({ORACLE: bound} if bound < ALL_BUT else {})
    title = f"{study['name']}: {name}\n{origin(tables.metrics)}, bands: the middle 80 % of them"
    figure = study_curves(curves, levels, title, study["label"], study["scale"])
    figure.supylabel(name, fontsize=10)
    return figure


def per_value(summary: pd.DataFrame, points: Mapping[str, Any], metric: str, statistic: str, k: float) -> pd.DataFrame:
    """One statistic over layers: index (heuristic, sample), columns the parameter's values in ascending order."""
    rows = over_layers(summary, metric, statistic, k)
    rows = rows[rows["heuristic"].isin(list(points))]
    shown = pd.DataFrame(
        {
            "heuristic": [points[name]["heuristic"] for name in rows["heuristic"]],
            "sample": rows["task"].to_numpy() + "/" + rows["sample"].to_numpy(),
            "parameter": [points[name]["value"] for name in rows["heuristic"]],
            "value": rows["value"].to_numpy(),
        }
    )
    wide = shown.pivot(index=["heuristic", "sample"], columns="parameter", values="value")
    return wide.reindex(shown["heuristic"].unique(), level="heuristic")


def study_curves(
    curves: Mapping[str, pd.DataFrame], levels: Mapping[str, float], title: str, across: str, scale: str
) -> Figure:
    """A panel a heuristic: mean over layers and worst layer, mean over prompts with the middle 80 % of them.

    Args:
        curves: ``mean`` and ``worst``, each as from ``per_value``.
        levels: lines across every panel: chance, and the oracle where it is not 1 by definition.
        title: of the figure.
        across: label of the values.
        scale: ``linear`` or ``log``, of the values.
    """
    heuristics = list(curves["mean"].index.get_level_values("heuristic").unique())
    figure = Figure(figsize=(2.2 + 2.8 * len(heuristics), 3.8), layout="constrained")
    panels = figure.subplots(1, len(heuristics), sharey=True, squeeze=False)[0]
    for panel, heuristic in zip(panels, heuristics, strict=True):
        panel.set_title(heuristic, fontsize=10, color=INK)
        _curve(panel, curves["mean"].loc[heuristic], "mean over layers", (ACCENT, BAND))
        _curve(panel, curves["worst"].loc[heuristic], "worst layer", (WORST, WORST_BAND))
        for (name, level), line in zip(levels.items(), ("--", ":"), strict=False):
            panel.axhline(level, color=REFERENCE, linestyle=line, linewidth=1, label=name)
        panel.set_xlabel(across, fontsize=9)
        plain_axes(panel)
        if scale == "log":
            panel.set_xscale("log", base=2)
            panel.xaxis.set_major_formatter("{x:g}")
    figure.suptitle(title, fontsize=11)
    lines, names = panels[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=len(names), fontsize=8, frameon=False)
    return figure


def _curve(panel: Axes, samples: pd.DataFrame, name: str, colours: tuple[str, str]) -> None:
    """One line with its band, over prompts that have all values; values of other heuristics leave no gap."""
    there = samples.dropna(axis="columns", how="all").dropna()
    if there.empty:
        raise ValueError(f"{panel.get_title()}: no prompt has all values of the study")
    values, ends = there.columns.to_numpy(dtype=float), there.to_numpy(dtype=float)
    low, high = np.percentile(ends, [10, 90], axis=0)
    panel.fill_between(values, low, high, color=colours[1], alpha=0.6, linewidth=0)
    panel.plot(values, ends.mean(axis=0), color=colours[0], linewidth=1.6, marker="o", markersize=3, label=name)
