"""What is said of intervals over few prompts."""

from tokenrank.records.tables import Tables

CHECKED = 10  # prompts from which on the coverage of intervals was simulated (docs/statistics.md)


def rough_intervals(tables: Tables) -> str:
    """That intervals are rough, where they are over fewer prompts than their coverage was checked for, and of which metrics if not of all.

    Empty where there are none such.
    """
    rows = tables.summary
    own = rows[rows["low"].notna() & rows["against"].isna() & rows["task"].isna()]
    few = own[(own["prompts"] < CHECKED).fillna(False).astype(bool)]
    if few.empty:
        return ""
    counts, metrics = sorted({int(each) for each in few["prompts"]}), list(dict.fromkeys(map(str, few["metric"])))
    over = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    whose = f" ({', '.join(metrics)})" if set(metrics) != set(map(str, own["metric"])) else ""
    return (
        f"Intervals over {over} prompts{whose} are rough, and may be far wider than the values: their coverage was checked from {CHECKED} "
        "prompts on."
    )
