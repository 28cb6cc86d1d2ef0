"""Picks out of the tables of evaluation=accuracy and evaluation=ttft what one figure or table shows.

Their ``heuristic`` is an engine, their ``k`` its keep rate in percent; rows of pairs, "a - b", are comparisons.
"""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

FULL, ORACLE, RANDOM = "full", "oracle", "random"
PLACES = {FULL: 0, ORACLE: 1, RANDOM: 3}  # all others stand between the bound and the control
NAMED_SUBSETS = 3  # more of them are counted, not named


def is_of_engines(table: pd.DataFrame) -> bool:
    """Whether the table is one of engines (accuracy, TTFT): it has rows, and none of a layer."""
    return not table.empty and bool(table["layer"].isna().all())


def engines(table: pd.DataFrame) -> list[str]:
    """Full first, the oracle second, then the others as they stand in the table, random last."""
    names = table.loc[~table["metric"].str.contains(".difference", regex=False), "heuristic"]
    return in_order(names.dropna().unique())


def in_order(names: Iterable[str]) -> list[str]:
    """Full, oracle, others in the order given, random."""
    return sorted((str(name) for name in names), key=lambda name: PLACES.get(name, 2))


def keep_rates(table: pd.DataFrame) -> list[float]:
    """Percent, ascending."""
    return sorted(float(k) for k in table["k"].dropna().unique())


def over_all(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """One number of the rows over all samples: index engines, columns keep rates; NaN where the table has none."""
    return _wide(table, table[table["sample"].isna() & (table["metric"] == metric)])


def _wide(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    wide = rows.pivot(index="heuristic", columns="k", values="value")
    return wide.reindex(index=engines(table), columns=keep_rates(table)).astype(float)


def of_samples(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """One number of every sample: index (engine, k), columns sample ids; NaN where the table has none."""
    rows = table[table["sample"].notna() & (table["metric"] == metric)]
    wide = rows.pivot(index=["heuristic", "k"], columns="sample", values="value")
    asked = pd.MultiIndex.from_product([engines(table), keep_rates(table)], names=["heuristic", "k"])
    return wide.reindex(index=asked).astype(float)


def of_sample(table: pd.DataFrame, metric: str, sample: str) -> pd.DataFrame:
    """One number of one prompt: index engines, columns keep rates; NaN where the table has none."""
    rows = table[(table["sample"] == sample) & (table["metric"] == metric)]
    return _wide(table, rows)


def prompts(table: pd.DataFrame) -> int:
    """How many prompts have at least one row."""
    return len(table.dropna(subset=["sample"])[["task", "sample"]].drop_duplicates())


def models(table: pd.DataFrame) -> str:
    """Their names."""
    return ", ".join(table["model"].unique())


def origin(table: pd.DataFrame) -> str:
    """``llama3 on longbench (6 subsets), 24 prompts``, for titles."""
    subsets: dict[str, list[str]] = {}
    for task in table["task"].dropna().unique():
        name, _, subset = str(task).partition("/")
        subsets.setdefault(name, []).extend([subset] if subset else [])
    tasks = [f"{name} ({_listed(each)})" if each else name for name, each in subsets.items()]
    count = prompts(table)
    return f"{models(table)} on {', '.join(tasks)}, {count} prompt{'s' * (count != 1)}"


def _listed(subsets: list[str]) -> str:
    return ", ".join(subsets) if len(subsets) <= NAMED_SUBSETS else f"{len(subsets)} subsets"


def absent(table: pd.DataFrame, wanted: Mapping[str, Sequence[str]]) -> str:
    """``claa at 10 %, tova at 10, 20 %``: engines that lack one of the metrics over all samples at a keep rate.

    Args:
        table: as in metrics.parquet.
        wanted: metric -> the engines that should have it; of the full prefill one keep rate is enough, as all are the same.
    """
    lacking: dict[str, set[float]] = {name: set() for name in engines(table)}
    for metric, names in wanted.items():
        for name, found in over_all(table, metric).loc[list(names)].T.items():
            gaps = set(found.index[found.isna()])
            lacking[str(name)] |= gaps if name != FULL or found.isna().all() else set()
    return ", ".join(
        f"{name} at {', '.join(f'{k:g}' for k in sorted(gaps))} %" for name, gaps in lacking.items() if gaps
    )


def lengths(samples: pd.DataFrame) -> "pd.Series[int]":
    """Tokens of every prompt, ascending; index sample ids."""
    return samples.dropna(subset=["tokens"]).set_index("id")["tokens"].astype("int64").sort_values(kind="stable")


def answered(table: pd.DataFrame) -> pd.DataFrame:
    """How many prompts have a score: index engines, columns keep rates."""
    rows = table[table["sample"].notna() & (table["metric"] == "score")].dropna(subset=["value"])
    counts = rows.groupby(["heuristic", "k"]).size().unstack()
    return counts.reindex(index=engines(table), columns=keep_rates(table)).fillna(0).astype("int64")
