"""What leaves a run folder: the one place that decides what trackers may copy. Texts are in it only if they were asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tokenrank.records.run_folder import RunFolder
from tokenrank.records.run_names import Names
from tokenrank.records.schema import TEXTS, contestant_names
from tokenrank.records.tables import Tables
from tokenrank.report.rows.contestant_rows import RANKING, kind
from tokenrank.report.rows.loading import layer_means, load, run_config
from tokenrank.report.rows.ranking_rows import at, chance, label, over_layers, ranked_metrics

FILES = ("metrics.parquet", "summary.parquet")  # they hold no texts
FILES_WITH_TEXTS = ("samples.parquet", "runs.parquet", "report.html", "levels/*.parquet")
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
    layers = layer_means(folder)
    ranking = kind(tables) == RANKING
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
    """``METRIC.mean`` and ``.worst`` of each heuristic at k percent, means over prompts, and the metrics' chance levels."""
    found = []
    for metric in ranked_metrics(tables):
        name = label(tables.metrics, metric, k)
        for statistic in ("mean", "worst"):
            rows = over_layers(tables.summary, metric, statistic, k)
            means = rows.groupby("heuristic", sort=False)["value"].mean()
            found += [(heuristic, f"{name}.{statistic}", float(value)) for heuristic, value in means.items()]
        if len(at(tables.metrics, metric, k)):
            found.append((CHANCE, name, chance(tables.metrics, metric, k)))
    return pd.DataFrame(found, columns=["contestant", "name", "value"])


def means_of_contestants(tables: Tables) -> pd.DataFrame:
    """``METRIC@KEEP`` of each contestant at every keep rate, means over prompts, with the columns ``metric`` and ``keep``."""
    medians = tables.summary[tables.summary["sample"].notna() & (tables.summary["statistic"] == "median")]
    rows = pd.concat([tables.metrics, medians], ignore_index=True)
    rows = rows.assign(contestant=contestant_names(rows))
    means = rows.groupby(["contestant", "metric", "keep"], sort=False)["value"].mean().reset_index()
    names = [f"{metric}@{keep:g}" for metric, keep in zip(means["metric"], means["keep"], strict=True)]
    return means.assign(name=names)


def whole_steps(steps: "pd.Series[Any]") -> tuple["pd.Series[Any]", str]:
    """Steps as whole numbers, which TensorBoard and trackio want, and what is said where that needs hundredths of a percent.

    >>> whole_steps(pd.Series([0.5, 10]))[0].tolist(), whole_steps(pd.Series([5.0, 10.0]))[0].tolist()
    ([50, 1000], [5, 10])
    """
    whole = (steps == steps.round()).all()
    scaled = steps if whole else steps * 100
    return scaled.round().astype("int64"), "" if whole else " in 0.01 %"
