"""Sentences on the declared comparisons: which differences are significant, and whether there are enough prompts for any."""

from collections.abc import Iterator

import pandas as pd

from tokenrank.records.measures import better
from tokenrank.records.schema import contestant_names
from tokenrank.records.tables import Tables
from tokenrank.report.rows.phrases import count
from tokenrank.report.rows.ranking_rows import label

LEVEL = 0.05
SHOWN = 3  # differences that are spelt out; more are counted


def least_p(prompts: int) -> float:
    """The smallest p that the sign-flip test of so many prompts can give (docs/statistics.md).

    >>> [least_p(prompts) for prompts in (5, 6)]
    [0.0625, 0.03125]
    """
    return min(1.0, 2.0 ** (1 - prompts))


def needed_prompts(prompts: int) -> int:
    """How many prompts the sign-flip test needs before a difference can be significant, at least those that there are.

    >>> needed_prompts(2), needed_prompts(8)
    (6, 8)
    """
    return next(number for number in range(prompts, 100 + prompts) if least_p(number) <= LEVEL)


def comparisons(tables: Tables) -> list[str]:
    """One sentence for each metric and keep rate of the declared family; none where nothing was compared.

    Args:
        tables: of the run; with ``plots.truth`` of another truth than the first the same pairs, which are exploratory, are compared.
    """
    rows = tables.compared()
    explored = bool(rows["exploratory"].fillna(value=False).any())
    return list(_sentences(rows, f"; exploratory, as not declared: against {tables.other_truth}" if explored else ""))


def _sentences(compared: pd.DataFrame, marked: str) -> Iterator[str]:
    few = 0
    for _, rows in compared.groupby(["metric", "keep"], sort=False, dropna=False):
        prompts = int(rows["prompts"].max())
        if least_p(prompts) > LEVEL:
            few = prompts
            continue
        keep = rows["keep"].iloc[0]
        at = "" if pd.isna(keep) else f" at {keep:g} %"
        yield f"{measure_of(rows)}{at}: {_found(rows)} ({count(len(rows), 'comparison')}, {count(prompts, 'prompt')}, adjusted p{marked})"
    if few:
        yield (
            f"{count(few, 'prompt')} are too few for any difference to be significant: p is at least {least_p(few):.2g}; "
            f"{needed_prompts(few)} are needed"
        ).replace("1 prompt are", "1 prompt is")


def measure_of(rows: pd.DataFrame) -> str:
    """``recall@10, mean over layers`` or ``loss``: what the rows of one metric compare."""
    first = rows.iloc[0]
    named = label(rows, first["metric"], first["k"])
    return f"{named}, mean over layers" if pd.isna(first["engine"]) else named


def significant(rows: pd.DataFrame) -> pd.DataFrame:
    """Those with p <= ``LEVEL``, the smallest p first, and of equal p the largest difference."""
    by_size = rows.sort_values("value", key=lambda values: -values.abs(), kind="stable")
    return by_size[by_size["p"] <= LEVEL].sort_values("p", kind="stable")


def _found(rows: pd.DataFrame) -> str:
    found = significant(rows)
    if found.empty:
        return "no difference is significant"
    said = []
    for name, (_, row) in zip(contestant_names(found), found.head(SHOWN).iterrows(), strict=False):
        first, second = (name, row["against"]) if better(row["metric"], row["value"]) else (row["against"], name)
        said.append(f"{first} better than {second} by {abs(row['value']):.3f} (p {row['p']:.2g})")
    more = len(found) - len(said)
    return ", ".join([*said, *([f"{more} more in summary.parquet"] if more else [])])
