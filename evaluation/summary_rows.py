"""Statistics of measured values over layers and over prompts; pure functions of tables."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from tokenrank.metrics.intervals import LEVEL, Numbers, bootstrap_means, holm, wilcoxon_p
from tokenrank.metrics.summaries import over_layers
from tokenrank.records.schema import SUMMARY, concatenated, contestant_names, table

OF_PROMPT = ["model", "task", "sample", "heuristic", "metric", "k"]
WHOSE = ["model", "engine", "heuristic", "keep"]
Compared = Callable[[Mapping[str, Any]], bool]


def over_layers_of_prompts(metrics: pd.DataFrame) -> pd.DataFrame:
    """Statistics over the layers of each prompt, for every heuristic, metric and k.

    They are over the full-attention layers (``windowed`` false); where a model has windowed layers too, a second set is over
    those (``windowed`` true). A model with windowed layers only has one set, under false.

    Args:
        metrics: as metrics.parquet.

    Returns:
        As summary.parquet.
    """
    rows = metrics[metrics["layer"].notna() & metrics["heuristic"].notna()]
    if rows.empty:
        return table([], SUMMARY)
    is_windowed = rows["windowed"].fillna(False).astype(bool)
    apart = is_windowed.any() and not is_windowed.all()
    kinds = [(False, rows[~is_windowed]), (True, rows[is_windowed])] if apart else [(False, rows)]
    return concatenated([_of_kind(each, windowed) for windowed, each in kinds], SUMMARY)


def _of_kind(rows: pd.DataFrame, windowed: bool) -> pd.DataFrame:
    """Statistics over all layers of these rows."""
    number = rows.groupby(OF_PROMPT, sort=False, dropna=False).ngroup().to_numpy()
    whose = rows.loc[~pd.Series(number, index=rows.index).duplicated(), OF_PROMPT].reset_index(drop=True)
    layers, place = np.unique(rows["layer"].to_numpy(dtype=np.int64), return_inverse=True)
    values = np.full((len(whose), len(layers)), np.nan)
    values[number, place] = rows["value"].to_numpy()
    measured = np.zeros(values.shape, dtype=bool)
    measured[number, place] = True
    found: dict[str, Numbers] = {}
    for pattern in np.unique(measured, axis=0):  # a metric between neighbours has no value at the first layer
        chosen = (measured == pattern).all(axis=1)
        for statistic, each in over_layers(values[np.ix_(chosen, pattern)], layers[pattern].tolist()).items():
            found.setdefault(statistic, np.full(len(whose), np.nan))[chosen] = each
    return concatenated(
        [whose.assign(windowed=windowed, statistic=statistic, value=each) for statistic, each in found.items()], SUMMARY
    )


def over_prompts(
    of_prompts: pd.DataFrame, by: Sequence[str], seed: int, resamples: int, compared: Compared
) -> pd.DataFrame:
    """Means over prompts with bootstrap 95 % intervals, and comparisons of every two contestants.

    A contestant without any value in a group has no rows for it; of the others only prompts with a value from each count, so that
    all means of a group are over the same prompts. Comparisons give the mean difference, its paired interval, and Wilcoxon's
    signed-rank p with Holm's correction over all pairs of the group.

    Args:
        of_prompts: one row a prompt, contestant and group: columns of SUMMARY.
        by: columns that make a group.
        seed: of the bootstrap.
        resamples: of the bootstrap.
        compared: whether the contestants of a group are compared.

    Returns:
        As summary.parquet, ``sample`` null.
    """
    said: list[dict[str, Any]] = []
    for _, group in of_prompts.groupby(list(by), sort=False, dropna=False):
        named: dict[str, Any] = known(rows_of(group[list(by)].head(1))[0])
        named["model"] = group["model"].iloc[0]
        name = contestant_names(group)
        own = group.assign(contestant=name)
        wide = own.pivot(index=["task", "sample"], columns="contestant", values="value")
        wide = wide[list(name.unique())].dropna(axis="columns", how="all").dropna()
        if wide.empty:
            continue
        first = own.drop_duplicates("contestant")
        who = dict(zip(first["contestant"], map(known, rows_of(first[["engine", "heuristic", "keep"]])), strict=True))
        columns = [who[contestant] for contestant in wide]
        values = wide.to_numpy(dtype=float)
        rows = _said(columns, list(map(str, wide)), values, seed, resamples, compared(named))
        said += [row | named if "against" in row else named | row for row in rows]  # a pair: at the group's keep rate
    return table(said, SUMMARY)


def known(row: Mapping[Any, Any]) -> dict[str, Any]:
    """The row by column, None where it is null."""
    return {str(name): None if pd.isna(value) else value for name, value in row.items()}


def rows_of(rows: pd.DataFrame) -> list[dict[Any, Any]]:
    """The rows as mappings."""
    return rows.to_dict("records")


def _said(
    columns: list[dict[str, Any]], names: list[str], values: Numbers, seed: int, resamples: int, compare: bool
) -> Iterator[dict[str, Any]]:
    """Rows of one group; ``values`` is (prompts, contestants)."""
    prompts = {"prompts": len(values)}
    several = len(values) > 1
    means = bootstrap_means(values, resamples, seed) if several else None
    for column, mean, ends in zip(columns, values.mean(axis=0), _interval(means, len(names)), strict=True):
        yield column | prompts | ends | {"value": mean}
    if not compare or means is None or len(names) < 2:
        return
    left, right = np.array(list(combinations(range(len(names)), 2))).T
    differences = values[:, left] - values[:, right]
    p = holm(wilcoxon_p(differences))
    pair_ends = _interval(means[:, left] - means[:, right], len(left))
    for place, (a, b) in enumerate(zip(left, right, strict=True)):
        own = {"against": names[b], "value": differences[:, place].mean(), "p": p[place]}
        yield columns[a] | prompts | pair_ends[place] | own


def _interval(means: Numbers | None, columns: int) -> list[dict[str, float]]:
    if means is None:
        return [{} for _ in range(columns)]
    low, high = np.percentile(means, LEVEL, axis=0)
    return [{"low": float(a), "high": float(b)} for a, b in zip(low, high, strict=True)]


def layer_pairs(measured: pd.DataFrame) -> pd.DataFrame:
    """Means over prompts of the values of pairs of layers, for each heuristic, metric and k."""
    pairs = measured[measured["other_layer"].notna()]
    if pairs.empty:
        return table([], SUMMARY)
    keys = ["model", "heuristic", "metric", "k", "layer", "other_layer"]
    means = pairs.groupby(keys, sort=False, dropna=False).agg(value=("value", "mean"), prompts=("value", "size"))
    return concatenated([means.reset_index().assign(statistic="mean")], SUMMARY)
