"""A run of evaluation=ranking with uneven values, summarised as the program does it."""

from collections.abc import Sequence

import numpy as np

from tests.report.ranking_examples import at_layer, of_prompt, of_prompts, ranked
from tokenrank.metrics.intervals import mean_intervals
from tokenrank.records.tables import Tables

HEURISTICS = ["tova", "claa", "random", "oracle", "recency"]
SAMPLES, LAYERS = ["s0", "s1", "s2", "s3", "s4"], [0, 1, 2, 3, 4]
CHANCE = {"recall": 0.1, "spearman": 0.0}
LEVELS = {"claa": 0.7, "tova": 0.5, "recency": 0.9, "random": 0.1}


def value(heuristic: str, sample: str, layer: int, metric: str = "recall") -> float:
    """Of a cell; prompts differ unevenly and more at odd layers, spearman is below 0 at layer 0."""
    if heuristic == "oracle":
        return 1.0
    level = LEVELS.get(heuristic, 0.4 + 0.01 * (len(heuristic) % 20))
    off = 0.01 * (sample[-1:] > "2") + 0.015 * SAMPLES.index(sample) * (layer % 2) - 0.02 * layer
    return max(0.0, level + off) if metric == "recall" else level + off - 0.35 * (layer == 0)


def ranking(
    heuristics: Sequence[str] = HEURISTICS,
    samples: Sequence[str] = SAMPLES,
    layers: Sequence[int] = LAYERS,
    windowed: Sequence[int] = (),
) -> Tables:
    """Of recall at 5 and 10 % and spearman; at 5 % values are half of those at 10 %."""
    metrics, summary = [], []
    for metric, k in (("recall", 5.0), ("recall", 10.0), ("spearman", None)):
        half = 0.5 if k == 5 else 1.0
        metrics += [at_layer(sample, None, None, metric, k, CHANCE[metric]) for sample in samples]
        for heuristic in heuristics:
            cells = np.array(
                [[value(heuristic, sample, layer, metric) * half for layer in layers] for sample in samples]
            )
            for sample, row in zip(samples, cells, strict=True):
                for layer, cell in zip(layers, row, strict=True):
                    own = at_layer(sample, heuristic, layer, metric, k, float(cell))
                    metrics.append(own | {"windowed": layer in windowed})
            table = cells[:, [layer not in windowed for layer in layers]]
            for statistic, found in (("mean", table.mean(axis=1)), ("worst", table.min(axis=1))):
                summary += [
                    of_prompt(sample, heuristic, metric, statistic, k, float(each))
                    for sample, each in zip(samples, found, strict=True)
                ]
                low, high = mean_intervals(found[:, None])[:, 0]
                ends = {} if np.isnan(low) or heuristic == "oracle" else {"low": low, "high": high}
                over = of_prompts(heuristic, metric, statistic, k, float(found.mean()), prompts=len(samples), **ends)
                summary.append(over)
            if windowed:
                summary += [
                    of_prompt(sample, heuristic, metric, "mean", k, 0.0) | {"windowed": True} for sample in samples
                ]
    return ranked(metrics, summary)


def cells(tables: Tables, metric: str, k: float | None) -> dict[str, "np.typing.NDArray[np.float64]"]:
    """Heuristic -> values of metrics.parquet (layers, prompts), selected anew."""
    rows = tables.metrics
    rows = rows[
        (rows["metric"] == metric) & rows["layer"].notna() & (rows["k"].isna() if k is None else rows["k"] == k)
    ]
    return {
        str(name): own.pivot(index="layer", columns="sample", values="value").to_numpy(dtype=float)
        for name, own in rows.groupby("heuristic")
    }
