"""Sentences on which tokens always stayed, and whether they count in the keep rate, for headings and captions."""

import pandas as pd

from tokenrank.records.schema import FULL, USUAL, contestant_names

PROTECTED = {
    "window": "prefill.protect=window: the last tokens, the window, always stay",
    "frame": "prefill.protect=frame: all tokens outside of the context always stay, and the window",
}
BUDGETED = {
    "within": "",
    "beside": ", beside the keep rate, which is a percentage of the other tokens (prefill.budget=beside)",
}
RANKED = {
    "aware": "",
    "agnostic": "; ranked before the question, on the tokens up to the end of the context, of which keep rates are percentages and whose last tokens "
    "are the window (prompts=agnostic)",
}


def protected(runs: pd.DataFrame) -> list[str]:
    """What always stayed, a line for each setting; where there are several, with its contestants. Empty where runs do not say.

    Args:
        runs: as in runs.parquet.
    """
    pruned = runs.assign(contestant=contestant_names(runs)).dropna(subset=["protect"])
    pruned = pruned[pruned["contestant"] != FULL]
    usual = {name: pruned[name].fillna(value) for name, value in USUAL.items()}
    whose = pruned.assign(**usual).groupby(list(USUAL), sort=False)
    found = {_said(*map(str, settings)): rows["contestant"].unique() for settings, rows in whose}
    return [said + (f" ({', '.join(map(str, names))})" if len(found) > 1 else "") for said, names in found.items()]


def _said(protect: str, budget: str, prompts: str) -> str:
    said = PROTECTED.get(protect, f"prefill.protect={protect}") + BUDGETED.get(budget, f", prefill.budget={budget}")
    return said + RANKED.get(prompts, f", prompts={prompts}")
