"""What is said of intervals over few prompts."""

import pandas as pd

from tokenrank.records.tables import Tables

CHECKED = 10  # prompts from which on the coverage of intervals was simulated (docs/statistics.md)


def rough_intervals(tables: Tables) -> str:
    """That intervals are rough, where they are over fewer prompts than their coverage was checked for; empty where there are none such."""
    rows = tables.summary
    own = rows[rows["low"].notna() & rows["against"].isna() & rows["task"].isna()]
    counts: pd.Series[int] = own["prompts"].dropna()
    if counts.empty or int(counts.max()) >= CHECKED:
        return ""
    return (
        f"Intervals over {int(counts.max())} prompts are rough, and may be far wider than the values: their coverage was checked from "
        f"{CHECKED} prompts on."
    )
