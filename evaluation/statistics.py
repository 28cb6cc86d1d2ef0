"""From the summaries of single prompts to what can be said over all of them."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from tokenrank.metrics.intervals import LEVEL, Numbers, bootstrap_means, holm, wilcoxon_p

COMPARED = (".mean", ".worst")  # summaries in which heuristics are compared with each other


def over_samples(table: pd.DataFrame, seed: int, resamples: int, compared: tuple[str, ...] = COMPARED) -> pd.DataFrame:
    """Rows of metrics.parquet that belong to no single sample: means with intervals, and comparisons of heuristics.

    Args:
        table: the rows of the samples, of one model.
        seed: of the bootstrap.
        resamples: of the bootstrap.
        compared: endings of the summaries in which heuristics are compared.

    A heuristic without any value of a summary has no rows for it; of the others only samples with a value from each count, so
    that all are means over the same prompts.

    Returns:
        The same columns, ``sample``, ``task`` and ``layer`` null: every summary's mean over samples and, from two samples
        on, its interval (``.low``, ``.high``); for each two heuristics "a - b" the mean ``.difference``, its paired
        interval and Holm's corrected p value of Wilcoxon's test over all pairs of that metric and k (``.p``).
    """
    summaries = table[table["layer"].isna() & table["heuristic"].notna()]
    rows: list[dict[str, Any]] = []
    for (metric, k), group in summaries.groupby(["metric", "k"], sort=False, dropna=False):
        wide = group.pivot(index=["task", "sample"], columns="heuristic", values="value")
        wide = wide[list(group["heuristic"].unique())].dropna(axis="columns", how="all").dropna()
        if wide.empty:
            continue
        for heuristic, name, value in _said(str(metric), wide, seed, resamples, compared):
            rows.append({"heuristic": heuristic, "metric": name, "k": k, "value": value})
    said = pd.DataFrame(rows, columns=list(table)).assign(model=table["model"].iloc[0] if len(table) else None)
    return said.astype(table.dtypes.to_dict())


def _said(
    metric: str, wide: pd.DataFrame, seed: int, resamples: int, compared: tuple[str, ...]
) -> Iterator[tuple[str, str, float]]:
    """(heuristic or pair, metric, value) of one summary; ``wide`` is (samples, heuristics)."""
    names, values = [str(name) for name in wide], wide.to_numpy(dtype=float)
    for name, mean in zip(names, values.mean(axis=0), strict=True):
        yield name, metric, mean
    if len(values) < 2:
        return
    means = bootstrap_means(values, resamples, seed)
    yield from _interval(names, metric, means)
    if not metric.endswith(compared) or len(names) < 2:
        return
    left, right = np.array(list(combinations(range(len(names)), 2))).T
    pairs = [f"{names[a]} - {names[b]}" for a, b in zip(left, right, strict=True)]
    differences = values[:, left] - values[:, right]
    for pair, difference, p in zip(pairs, differences.mean(axis=0), holm(wilcoxon_p(differences)), strict=True):
        yield pair, f"{metric}.difference", difference
        yield pair, f"{metric}.difference.p", p
    yield from _interval(pairs, f"{metric}.difference", means[:, left] - means[:, right])


def _interval(names: list[str], metric: str, means: Numbers) -> Iterator[tuple[str, str, float]]:
    for end, ends in zip(("low", "high"), np.percentile(means, LEVEL, axis=0), strict=True):
        for name, value in zip(names, ends, strict=True):
            yield name, f"{metric}.{end}", value
