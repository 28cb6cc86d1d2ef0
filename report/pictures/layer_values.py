"""What the pictures of a metric by layer show, taken from the tables once."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokenrank.records.tables import Tables
from tokenrank.report.pictures.result_order import by_result
from tokenrank.report.pictures.score_range import CUT, cropped, is_cut, score_range, widened
from tokenrank.report.rows.layer_intervals import layer_intervals
from tokenrank.report.rows.ranking_rows import (
    by_layer,
    chance,
    heading,
    label,
    over_layers,
    over_prompts,
    windowed_layers,
)
from tokenrank.report.rows.worst_layers import worst_layers

SPREAD = (10, 90)  # percentiles of prompts


@dataclass(frozen=True)
class LayerValues:
    """A metric at each layer, with the statistics over layers.

    All tables have the heuristics, in the order of their results, as index: the oracle, methods from the best mean over layers to the
    worst, controls. Columns are layers, but of ``over_layers`` they are ``mean``, ``mean low``, ``mean high``, the same of ``worst``,
    and ``prompts low`` and ``prompts high``, the 10th and 90th percentile of the prompts' means over layers.
    """

    metric: str
    name: str  # recall@10
    heading: str  # model, task, number of prompts and k
    by_chance: float  # expected value of a random ranking; NaN: not known
    windowed: Collection[int]  # layers with a sliding window
    some_layers: bool  # whether statistics over layers are over the full-attention layers alone
    means: pd.DataFrame  # over prompts
    low: pd.DataFrame  # of the means' 95 % intervals
    high: pd.DataFrame
    tenth: pd.DataFrame  # 10th percentile of the prompts
    ninetieth: pd.DataFrame
    over_layers: pd.DataFrame
    of_prompts: pd.DataFrame  # the values of single prompts: index (heuristic, sample)

    @property
    def heuristics(self) -> list[str]:
        """In the order of their results."""
        return [str(name) for name in self.means.index]

    @property
    def lowest(self) -> "pd.Series[int]":
        """The number of the worst layer of each heuristic that has one (``report.rows.worst_layers``)."""
        found = worst_layers(self.means, self.windowed)
        return found.loc[~found["flat"], "layer"]

    @property
    def chance_known(self) -> bool:
        """Whether there is a chance level to show."""
        return bool(np.isfinite(self.by_chance))

    @property
    def range(self) -> tuple[float, float]:
        """Ends of the scale of the metric; with ranges, the longest of which may go beyond them."""
        means = (self.means, self.over_layers[["mean", "worst"]])
        return score_range(self.metric, [self.by_chance, *_flat(means)], *self._ends)

    @property
    def range_of_means(self) -> tuple[float, float]:
        """Ends of the scale of the means at each layer alone."""
        return score_range(self.metric, [self.by_chance, *_flat([self.means])])

    @property
    def label(self) -> str:
        """Of an axis: the metric, and whether not all of its range, or not every range whole, is shown."""
        return self.name + cropped(self.metric, self.range[0]) + CUT * is_cut(widened(*self.range), *self._ends)

    @property
    def _ends(self) -> tuple[list[float], list[float]]:
        """Lower and upper ends of all intervals and spreads."""
        of = {
            end: self.over_layers[[f"{each} {end}" for each in ("mean", "worst", "prompts")]] for end in ("low", "high")
        }
        return _flat((self.low, self.tenth, of["low"])), _flat((self.high, self.ninetieth, of["high"]))


def _flat(frames: Iterable[pd.DataFrame]) -> list[float]:
    return [float(value) for each in frames for value in each.to_numpy(dtype=float).ravel()]


def layer_values(tables: Tables, metric: str, k: float) -> LayerValues:
    """A metric of a run by layer, over the prompts that every heuristic ranked.

    Args:
        tables: of a run of evaluation=ranking.
        metric: its name.
        k: percent; which k is shown if the metric has one.

    Raises:
        ValueError: no prompt was ranked by every heuristic.
    """
    rows = tables.of_metric(metric, k)
    values = by_layer(rows, metric, k)
    found = _over_layers(tables.summary, metric, k, values)
    values = values.reindex(by_result(found["mean"]), level="heuristic")
    prompts = values.index.get_level_values("sample").nunique()
    low, high = layer_intervals(values)
    by_heuristic = values.groupby("heuristic", sort=False)
    ends = {each: by_heuristic.quantile(each / 100) for each in SPREAD}
    own_k = k if rows["k"].notna().any() else None
    return LayerValues(
        metric, label(rows, metric, k), heading(tables, prompts, own_k, metric), chance(rows, metric, k),
        windowed_layers(rows), len(over_layers(tables.summary, metric, "mean", k, windowed=True)) > 0,
        by_heuristic.mean(), low, high, ends[SPREAD[0]], ends[SPREAD[1]], found.loc[by_heuristic.mean().index],
        values,
    )  # fmt: skip


def _over_layers(summary: pd.DataFrame, metric: str, k: float, values: pd.DataFrame) -> pd.DataFrame:
    """The columns of ``LayerValues.over_layers``, from the rows of summary.parquet."""
    heuristics = values.index.get_level_values("heuristic").unique()
    columns: dict[str, pd.Series[float]] = {}
    for statistic in ("mean", "worst"):
        rows = over_prompts(summary, metric, statistic, k)
        columns |= {
            f"{statistic} {each}".removesuffix(" value"): rows[each].astype(float) for each in ("value", "low", "high")
        }
    each = over_layers(summary, metric, "mean", k)
    own = each[each["sample"].isin(values.index.get_level_values("sample"))]
    for end, percent in zip(("low", "high"), SPREAD, strict=True):
        columns[f"prompts {end}"] = own.groupby("heuristic")["value"].quantile(percent / 100)
    return pd.DataFrame(columns).reindex(heuristics)
