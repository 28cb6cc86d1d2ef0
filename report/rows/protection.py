"""Sentences on which tokens always stayed, for headings and captions."""

import pandas as pd

from tokenrank.records.schema import FULL, contestant_names

PROTECTED = {
    "window": "prefill.protect=window: the last tokens, the window, always stay",
    "frame": "prefill.protect=frame: all tokens outside of the context always stay, and the window",
}


def protected(runs: pd.DataFrame) -> list[str]:
    """What always stayed, a line for each setting; where there are several, with its contestants. Empty where runs do not say.

    Args:
        runs: as in runs.parquet.
    """
    pruned = runs.assign(contestant=contestant_names(runs)).dropna(subset=["protect"])
    pruned = pruned[pruned["contestant"] != FULL]
    found = {str(each): rows["contestant"].unique() for each, rows in pruned.groupby("protect", sort=False)}
    said = {each: PROTECTED.get(each, f"prefill.protect={each}") for each in found}
    return [
        said[each] + (f" ({', '.join(map(str, names))})" if len(found) > 1 else "") for each, names in found.items()
    ]
