"""What leaves a run folder: the one place that decides what trackers may copy. Texts are in it only if they were asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tokenrank.records.run_folder import RunFolder
from tokenrank.records.run_names import Names
from tokenrank.records.schema import TEXTS, contestant_names
from tokenrank.records.tables import Tables
from tokenrank.report.rows.contestant_rows import RANKING, TIMES, TTFT, kind
from tokenrank.report.rows.loading import load, run_config
from tokenrank.report.rows.ranking_rows import (
    by_layer,
    chance,
    label,
    over_prompts,
    ranked_measures,
    ranked_metrics,
    shared,
)

FILES = ("metrics.parquet", "summary.parquet")  # they hold no texts
FILES_WITH_TEXTS = ("samples.parquet", "runs.parquet", "report.html", "levels/*.parquet")
LAYER_COLUMNS = ["metric", "heuristic", "k", "layer", "value"]
CHANCE = "chance"  # stands where a contestant stands: what a random ranking has in expectation


@dataclass(frozen=True)
class RunCopy:
    """What a tracker is given of a run; of the folder itself it sees nothing."""

    names: Names
    config: dict[str, Any]  # without the entries that are there for Hydra
    layers: pd.DataFrame  # metric, heuristic, k, layer, value: means over prompts; empty where no layers were ranked
    means: pd.DataFrame  # contestant, name, value: means over prompts, and chance levels
    curves: (
        pd.DataFrame
    )  # contestant, name, step, value: what is drawn as lines; a step is a layer, or a keep rate in percent
    axis: str  # ``layer`` or ``keep``: what a step is
    samples: pd.DataFrame  # a row a prompt; texts are columns of it only if they were asked for
    pictures: tuple[Path, ...]  # PNG
    files: dict[str, Path]  # name in the run folder -> file that is copied as it is, by trackers on another machine

    @property
    def contestants(self) -> list[str]:
        """Heuristics or contestants that have a value, in the order of the tables."""
        return [str(name) for name in pd.concat([self.curves["contestant"], self.means["contestant"]]).unique()]

    @property
    def table(self) -> pd.DataFrame:
        """A row a contestant, and a keep rate where there are several: its means side by side, as scatter plots want them."""
        by = ["contestant"] if self.axis == "layer" else ["contestant", "keep"]
        rows = self.means if self.axis == "layer" else self.curves.rename(columns={"step": "keep"})
        rows = rows[rows["contestant"] != CHANCE]
        wide = rows.pivot(index=by, columns="name", values="value")
        return wide.reindex(columns=rows["name"].unique()).reset_index().rename_axis(columns=None)


def run_copy(folder: RunFolder, names: Names, *, texts: bool) -> RunCopy:
    """Reads what may be copied of a finished run.

    Args:
        folder: with config.yaml and the four tables.
        names: what the run is called.
        texts: whether prompts, references, answers and errors may be copied, and files that hold them.

    Raises:
        ValueError: as ``load``.
    """
    content = run_config(folder)
    tables, k = load(folder, content, None, texts=texts)
    ranking = kind(tables) == RANKING
    layers = layer_means(tables) if ranking else pd.DataFrame(columns=LAYER_COLUMNS)
    means = means_of_rankings(tables, k) if ranking else means_of_contestants(tables)
    patterns = (*FILES, *FILES_WITH_TEXTS) if texts else FILES
    return RunCopy(
        names=names,
        config={name: value for name, value in content.items() if name not in ("defaults", "hydra")},
        layers=layers,
        means=means[["contestant", "name", "value"]],
        curves=layer_curves(layers, means) if ranking else keep_curves(means),
        axis="layer" if ranking else "keep",
        samples=tables.samples if texts else tables.samples.drop(columns=[*TEXTS]),
        pictures=tuple(sorted(folder.plots.glob("*.png"))),
        files={
            file.relative_to(folder.path).as_posix(): file
            for pattern in patterns
            for file in sorted(folder.path.glob(pattern))
        },
    )


def layer_means(tables: Tables) -> pd.DataFrame:
    """Means over prompts at each layer, those of the pictures and of report.html: over the prompts of which every heuristic has a value.

    Returns:
        Columns metric, heuristic, k, layer and value; layers without a value are left out.
    """
    found = []
    for metric, k in ranked_measures(tables):
        rows = tables.of_metric(metric, 0.0 if k is None else k)
        if len(shared(rows)):
            values = by_layer(rows, metric, 0.0 if k is None else k)
            means = values.groupby(level="heuristic", sort=False).mean().reset_index()
            rows = means.melt("heuristic", var_name="layer").dropna(subset=["value"])
            found.append(rows.assign(metric=metric, k=k)[LAYER_COLUMNS])
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=LAYER_COLUMNS)


def layer_curves(layers: pd.DataFrame, means: pd.DataFrame) -> pd.DataFrame:
    """One line a heuristic, metric and k over the layers, and the chance levels that are known as lines too."""
    rows = layers.rename(columns={"heuristic": "contestant", "layer": "step"})
    names = [
        f"{metric}@{k:g}" if pd.notna(k) else str(metric) for metric, k in zip(rows["metric"], rows["k"], strict=True)
    ]
    lines = rows.assign(name=names)
    steps = sorted(lines["step"].unique())
    levels = means[means["contestant"] == CHANCE]
    flat = [
        {"contestant": CHANCE, "name": row["name"], "step": step, "value": row["value"]}
        for row in levels.to_dict("records")
        for step in steps
    ]
    return pd.concat([lines[["contestant", "name", "step", "value"]], pd.DataFrame(flat)], ignore_index=True)


def keep_curves(means: pd.DataFrame) -> pd.DataFrame:
    """One line a contestant and metric over the keep rates."""
    return means.rename(columns={"keep": "step"}).assign(name=means["metric"])[["contestant", "name", "step", "value"]]


def means_of_rankings(tables: Tables, k: float) -> pd.DataFrame:
    """``METRIC.mean`` and ``.worst`` of each heuristic at k percent, as summary.parquet has them, and the metrics' chance levels."""
    found: list[tuple[str, str, float]] = []
    for metric in ranked_metrics(tables):
        name = label(tables.metrics, metric, k)
        for statistic in ("mean", "worst"):
            means = over_prompts(tables.summary, metric, statistic, k)["value"]
            found += [(str(heuristic), f"{name}.{statistic}", float(value)) for heuristic, value in means.items()]
        by_chance = chance(tables.metrics, metric, k)
        if pd.notna(by_chance):
            found.append((CHANCE, name, by_chance))
    return pd.DataFrame(found, columns=["contestant", "name", "value"])


def means_of_contestants(tables: Tables) -> pd.DataFrame:
    """``METRIC@KEEP`` of each contestant at every keep rate, as summary.parquet has the means over prompts, with ``metric`` and ``keep``.

    Of evaluation=ttft, whose prompts summary.parquet keeps apart, over the prompts that every contestant has at every keep rate.
    """
    rows = _of_times(tables) if kind(tables) == TTFT else _over_prompts(tables.summary)
    names = [f"{metric}@{keep:g}" for metric, keep in zip(rows["metric"], rows["keep"], strict=True)]
    return rows[["contestant", "metric", "keep", "value"]].assign(name=names).reset_index(drop=True)


def _over_prompts(summary: pd.DataFrame) -> pd.DataFrame:
    own = summary["statistic"] == "mean"
    for column in ("task", "sample", "against"):
        own &= summary[column].isna()
    rows = summary[own]
    return rows.assign(contestant=contestant_names(rows))


def _of_times(tables: Tables) -> pd.DataFrame:
    medians = tables.summary[tables.summary["metric"].isin(TIMES) & (tables.summary["statistic"] == "median")]
    rows = pd.concat([tables.metrics, medians], ignore_index=True)
    rows = rows[rows["sample"].notna() & rows["value"].notna()]
    rows = rows.assign(contestant=contestant_names(rows))
    lines = rows.groupby("metric")[["contestant", "keep"]].apply(lambda each: len(each.drop_duplicates()))
    counted = rows.groupby(["metric", "sample"])["value"].transform("size")
    whole = rows[counted == rows["metric"].map(lines)]
    return whole.groupby(["contestant", "metric", "keep"], sort=False)["value"].mean().reset_index()


def whole_steps(steps: "pd.Series[Any]") -> tuple["pd.Series[Any]", str]:
    """Steps as whole numbers, which TensorBoard and trackio want, and what is said where that needs hundredths of a percent.

    >>> whole_steps(pd.Series([0.5, 10]))[0].tolist(), whole_steps(pd.Series([5.0, 10.0]))[0].tolist()
    ([50, 1000], [5, 10])
    """
    whole = (steps == steps.round()).all()
    scaled = steps if whole else steps * 100
    return scaled.round().astype("int64"), "" if whole else " in 0.01 %"
