"""Means over prompts with intervals, and comparisons of contestants; pure functions of tables and arrays."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tokenrank.evaluation.family import Family, own_ends
from tokenrank.metrics.comparisons import compare_means
from tokenrank.metrics.intervals import Numbers, mean_intervals
from tokenrank.records.measures import BY_DEFINITION, UNBOUNDED
from tokenrank.records.schema import FULL, SUMMARY, contestant_names, table

SPREADS = ("std", "worst_drop", "neighbour_drop")  # statistics of how much layers differ
Named = Mapping[str, Any]  # columns of a group of rows, such as metric, k and statistic
Rows = Iterator[dict[str, Any]]


@dataclass(frozen=True)
class Comparing:
    """Which contestants are compared, in what, and how."""

    seed: int
    resamples: int
    compared: Callable[[Named], bool]  # whether the contestants of a group are compared
    declared: Callable[[Named], bool]  # whether a group is the one that the run was made for; others are exploratory
    family: Family = field(default_factory=Family)  # which pairs of contestants
    by_task: Callable[[Named], bool] = lambda _: (
        False
    )  # whether they are also compared within each task, where there are several


class Group(NamedTuple):
    """What several contestants have in one metric, k or keep rate, and statistic."""

    named: Named  # columns of the group
    whose: Sequence[Named]  # of each contestant, its columns
    names: Sequence[str]  # of the contestants
    measured: Numbers  # (prompts, contestants), NaN where there is none
    tasks: "np.typing.NDArray[Any]"  # (prompts,) their names
    bound: str | None = (
        None  # the contestant that others are measured against: what it has in every prompt is so by definition
    )
    unbounded: bool = False  # whether values may lie outside of [0, 1]
    exploratory: bool = False  # whether its comparisons are not declared, whatever they are in

    def complete(self) -> "Group":
        """Contestants without any value are left out, then prompts that lack a value of one of the others."""
        present = np.flatnonzero(~np.isnan(self.measured).all(axis=0)).tolist()
        values = self.measured[:, present]
        prompts = ~np.isnan(values).any(axis=1)
        whose, names = [self.whose[place] for place in present], [self.names[place] for place in present]
        return self._replace(whose=whose, names=names, measured=values[prompts], tasks=self.tasks[prompts])

    def tasks_apart(self) -> dict[str, Numbers]:
        """The values by task; empty where there is one task only."""
        several = pd.unique(self.tasks)
        return {str(task): self.measured[self.tasks == task] for task in several} if len(several) > 1 else {}


def over_prompts(of_prompts: pd.DataFrame, by: Sequence[str], comparing: Comparing) -> pd.DataFrame:
    """Means over prompts with 95 % intervals, and comparisons of contestants.

    A contestant without any value in a group has no rows for it; of the others only prompts with a value from each count, so that
    all means of a group are over the same prompts.

    Args:
        of_prompts: one row a prompt, contestant and group: columns of SUMMARY.
        by: columns that make a group, ``metric`` among them.
        comparing: of contestants.

    Returns:
        As summary.parquet, ``sample`` null.
    """
    groups: list[Group] = []
    for _, rows in of_prompts.groupby(list(by), sort=False, dropna=False):
        name = contestant_names(rows)
        own = rows.assign(contestant=name)
        wide = own.pivot(index=["task", "sample"], columns="contestant", values="value")[list(name.unique())]
        first = own.drop_duplicates("contestant")
        groups.append(
            Group(
                {"model": rows["model"].iloc[0]} | known(rows_of(rows[list(by)].head(1))[0]),
                list(map(known, rows_of(first[["engine", "heuristic", "keep"]]))),
                list(map(str, wide)),
                wide.to_numpy(dtype=float),
                wide.index.get_level_values("task").to_numpy(),
                FULL if rows["metric"].iloc[0] in BY_DEFINITION else None,
                rows["metric"].iloc[0] in UNBOUNDED,
            )
        )
    return table(group_rows(groups, comparing), SUMMARY)


def known(row: Mapping[Any, Any]) -> dict[str, Any]:
    """The row by column, None where it is null."""
    return {str(name): None if pd.isna(value) else value for name, value in row.items()}


def rows_of(rows: pd.DataFrame) -> list[dict[Any, Any]]:
    """The rows as mappings."""
    return rows.to_dict("records")


def group_rows(groups: Iterable[Group], comparing: Comparing) -> Rows:
    """Rows of every group: means over all prompts, over those of each task where there are several, and comparisons of both.

    Args:
        groups: what is said together.
        comparing: of contestants.
    """
    complete = [found for found in (group.complete() for group in groups) if found.measured.size]
    over_all = _intervals([(group.measured, group.unbounded) for group in complete])
    by_task = [group.tasks_apart() for group in complete]
    of_tasks = iter(
        _intervals(
            [
                (values, group.unbounded)
                for group, tasks in zip(complete, by_task, strict=True)
                for values in tasks.values()
            ]
        )
    )
    for group, ends, tasks in zip(complete, over_all, by_task, strict=True):
        yield from _means(group, group.measured, ends)
        for task, values in tasks.items():
            yield from ({**row, "task": task} for row in _means(group, values, next(of_tasks)))
        if not comparing.compared(group.named):
            continue
        yield from _comparisons(group, comparing, exploratory=group.exploratory or not comparing.declared(group.named))
        for task, values in tasks.items() if comparing.by_task(group.named) else ():
            rows = _comparisons(group._replace(measured=values), comparing, exploratory=True)
            yield from ({**row, "task": task} for row in rows)


def _intervals(values: Sequence[tuple[Numbers, bool]]) -> list[Numbers]:
    """The intervals (2, columns) of each (prompts, columns), unbounded or not; those over as many prompts are computed together."""
    places: dict[int, list[int]] = {}
    for place, (each, _) in enumerate(values):
        places.setdefault(len(each), []).append(place)
    found: dict[int, Numbers] = {}
    for own in places.values():
        columns = [values[place][0].shape[1] for place in own]
        unbounded = np.repeat([values[place][1] for place in own], columns)
        ends = mean_intervals(np.concatenate([values[place][0] for place in own], axis=1), unbounded)
        found |= dict(zip(own, np.split(ends, np.cumsum(columns)[:-1], axis=1), strict=True))
    return [found[place] for place in range(len(values))]


def _means(group: Group, values: Numbers, ends: Numbers) -> Rows:
    """Mean and interval of each contestant; none for what is so by definition in every prompt.

    That is what the bound has, such as a recall of 1, and the missing spread over layers of a ranking that is the same at all of them.
    """
    fixed = (group.measured == group.measured[0]).all(axis=0) & (np.array(group.names) == group.bound)
    if group.named.get("statistic") in SPREADS:
        fixed |= (group.measured == 0).all(axis=0)
    for whose, mean, low, high in zip(group.whose, values.mean(axis=0), *np.where(fixed, np.nan, ends), strict=True):
        yield {**whose, **group.named, "value": mean, "prompts": len(values)} | _ends(low, high)


def _comparisons(group: Group, comparing: Comparing, *, exploratory: bool) -> Rows:
    """The pairs of the family; then every contestant with its own engine's bound, and with its control, where these are other pairs."""
    if len(group.measured) < 2:
        return
    pairs = comparing.family.pairs(group.names)
    yield from _differences(group, comparing, pairs, exploratory=exploratory)
    known = set(map(frozenset, pairs))
    for own in own_ends(group.names, [whose.get("engine") for whose in group.whose]):
        rows = _differences(group, comparing, own, exploratory=True)
        yield from (row for pair, row in zip(own, rows, strict=True) if frozenset(pair) not in known)


def _differences(group: Group, comparing: Comparing, pairs: Sequence[tuple[int, int]], *, exploratory: bool) -> Rows:
    """A row a pair; p is adjusted for these pairs."""
    if not pairs:
        return
    left, right = np.array(pairs).T
    found = compare_means(group.measured[:, left] - group.measured[:, right], comparing.seed, comparing.resamples)
    common = {**group.named, "exploratory": exploratory, "prompts": len(group.measured)}
    for pair, (a, b) in enumerate(pairs):
        own = {"against": group.names[b], "value": found.difference[pair], "p": _number(found.p[pair])}
        yield {**group.whose[a], **common, **own} | _ends(found.low[pair], found.high[pair])


def _ends(low: float, high: float) -> dict[str, float | None]:
    return {"low": _number(low), "high": _number(high)}


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
