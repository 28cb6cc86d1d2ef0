"""Means over prompts with intervals, and comparisons of contestants; pure functions of tables and arrays."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from tokenrank.metrics.comparisons import compare_means
from tokenrank.metrics.intervals import Numbers, mean_intervals
from tokenrank.records.schema import SUMMARY, contestant_names, table

Named = Mapping[str, Any]  # columns of a group of rows, such as metric, k and statistic
Rows = Iterator[dict[str, Any]]


@dataclass(frozen=True)
class Comparing:
    """Which contestants are compared, in what, and how."""

    seed: int
    resamples: int
    compared: Callable[[Named], bool]  # whether the contestants of a group are compared
    declared: Callable[[Named], bool]  # whether a group is the one that the run was made for; others are exploratory


def over_prompts(of_prompts: pd.DataFrame, by: Sequence[str], comparing: Comparing) -> pd.DataFrame:
    """Means over prompts with 95 % intervals, and comparisons of contestants.

    A contestant without any value in a group has no rows for it; of the others only prompts with a value from each count, so that
    all means of a group are over the same prompts.

    Args:
        of_prompts: one row a prompt, contestant and group: columns of SUMMARY.
        by: columns that make a group.
        comparing: of contestants.

    Returns:
        As summary.parquet, ``sample`` null.
    """
    said: list[dict[str, Any]] = []
    for _, group in of_prompts.groupby(list(by), sort=False, dropna=False):
        named: dict[str, Any] = known(rows_of(group[list(by)].head(1))[0])
        named["model"] = group["model"].iloc[0]
        name = contestant_names(group)
        own = group.assign(contestant=name)
        wide = own.pivot(index=["task", "sample"], columns="contestant", values="value")[list(name.unique())]
        first = own.drop_duplicates("contestant")
        whose = list(map(known, rows_of(first[["engine", "heuristic", "keep"]])))
        tasks = wide.index.get_level_values("task").to_numpy()
        said += group_rows(whose, list(map(str, wide)), wide.to_numpy(dtype=float), tasks, named, comparing)
    return table(said, SUMMARY)


def known(row: Mapping[Any, Any]) -> dict[str, Any]:
    """The row by column, None where it is null."""
    return {str(name): None if pd.isna(value) else value for name, value in row.items()}


def rows_of(rows: pd.DataFrame) -> list[dict[Any, Any]]:
    """The rows as mappings."""
    return rows.to_dict("records")


def group_rows(
    whose: Sequence[Named], names: Sequence[str], values: Numbers, tasks: "np.typing.NDArray[Any]", named: Named,
    comparing: Comparing,
) -> Rows:  # fmt: skip
    """Rows of one group: means over all prompts, over those of each task where there are several, and comparisons.

    Args:
        whose: of each contestant, its columns.
        names: of the contestants.
        values: (prompts, contestants), NaN where there is none.
        tasks: (prompts,) their names.
        named: columns of the group.
        comparing: of contestants.
    """
    there = ~np.isnan(values).all(axis=0)
    complete = ~np.isnan(values[:, there]).any(axis=1)
    if not there.any() or not complete.any():
        return
    values, tasks = values[np.ix_(complete, there)], tasks[complete]
    whose, names = ([each for each, some in zip(of, there, strict=True) if some] for of in (whose, names))
    yield from ({**whose[place], **named, **row} for place, row in enumerate(_means(values)))
    several = pd.unique(tasks)
    for task in several if len(several) > 1 else ():
        of_task = enumerate(_means(values[tasks == task]))
        yield from ({**whose[place], **named, **row, "task": task} for place, row in of_task)
    if comparing.compared(named) and len(names) > 1 and len(values) > 1:
        exploratory = {"exploratory": not comparing.declared(named)}
        for place, row in _comparisons(names, values, comparing):
            yield {**whose[place], **named, **row, **exploratory}


def _means(values: Numbers) -> Rows:
    """Mean and interval of each column of (prompts, contestants)."""
    low, high = mean_intervals(values)
    for place, mean in enumerate(values.mean(axis=0)):
        yield {"value": mean, "prompts": len(values)} | _ends(low[place], high[place])


def _comparisons(names: Sequence[str], values: Numbers, comparing: Comparing) -> Iterator[tuple[int, dict[str, Any]]]:
    """Place of the first, and the row, of every two contestants."""
    left, right = np.array(list(combinations(range(len(names)), 2))).T
    found = compare_means(values[:, left] - values[:, right], comparing.seed, comparing.resamples)
    for pair, (a, b) in enumerate(zip(left, right, strict=True)):
        own = {
            "against": names[b],
            "value": found.difference[pair],
            "p": _number(found.p[pair]),
            "prompts": len(values),
        }
        yield int(a), own | _ends(found.low[pair], found.high[pair])


def _ends(low: float, high: float) -> dict[str, float | None]:
    return {"low": _number(low), "high": _number(high)}


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
