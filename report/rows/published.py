"""Our accuracy on LongBench beside the published one of the same contestants.

Source: McDanel, Li, Khaitan 2026, https://arxiv.org/abs/2602.16054.
"""

import numpy as np
import pandas as pd

from tokenrank.records.schema import FULL, contestant_names
from tokenrank.records.tables import Tables
from tokenrank.report.rows.contestant_rows import WHOLE, contestants, engines_of, in_order, keep_rates, models

SOURCE = "[McDanel, Li, Khaitan 2026](https://arxiv.org/abs/2602.16054)"
MODEL = "Llama-3.1-8B-Instruct"
PUBLISHED = {  # average over LongBench, in percent; contestant -> keep rate in percent -> accuracy
    FULL: {WHOLE: 49.32},
    "oracle": {10.0: 47.83, 20.0: 48.39, 40.0: 48.88},
    "claa": {10.0: 47.13, 20.0: 48.12, 40.0: 48.72},
    "fastkv": {10.0: 46.81, 20.0: 47.33, 40.0: 47.68},
    "speculative": {10.0: 41.99, 20.0: 44.57, 40.0: 46.55},
    "gemfilter": {10.0: 37.59, 20.0: 42.29, 40.0: 45.11},
}
TASK = "longbench/"
ABSENT = "-"


def beside_published(tables: Tables) -> pd.DataFrame:
    """Accuracy in percent, averaged as LongBench does: within each subset, then over subsets.

    Args:
        tables: of a run of evaluation=accuracy on LongBench.

    Returns:
        Index (contestant, keep), keep rates in percent, 100 for ``full``. Columns ``published`` and ``ours`` in [0, 100],
        ``published_of_full`` and ``ours_of_full`` the same as percent of the full prefill's, and ``prompts`` and
        ``subsets``, how many ours is from. NaN where there is no such number. Rows from fewer
        ``subsets`` than others are not comparable with them.

    Raises:
        ValueError: the tables hold another task than LongBench's subsets.
    """
    others = [task for task in tables.metrics["task"].dropna().unique() if not str(task).startswith(TASK)]
    if others:
        raise ValueError(f"the run's tasks hold {', '.join(others)}, must be {TASK}SUBSET only")
    ours = _ours(tables)
    beyond = [name for name in contestants(tables) if name not in PUBLISHED]
    named = in_order([*PUBLISHED, *beyond], engines_of(tables))
    own = set(keep_rates(tables)) - {WHOLE}
    rates = sorted({k for published in PUBLISHED.values() for k in published if k != WHOLE} | own)
    index = [(name, k) for name in named for k in ([WHOLE] if name == FULL else rates)]
    beside = pd.DataFrame(index=pd.MultiIndex.from_tuples(index, names=["contestant", "keep"]))
    beside["published"] = [PUBLISHED.get(name, {}).get(k, float("nan")) for name, k in index]
    beside = beside.join(ours)
    for column in ("published", "ours"):
        accuracies = beside[column].to_numpy(dtype=float)
        full = accuracies[0] if accuracies[0] > 0 else float("nan")  # the full prefill is the first
        beside[f"{column}_of_full"] = 100 * accuracies / full
    return beside.astype({"prompts": "Int64", "subsets": "Int64"})


def _accuracies(tables: Tables) -> pd.DataFrame:
    rows = tables.metrics[tables.metrics["metric"] == "accuracy"].dropna(subset=["value"])
    return rows.assign(contestant=contestant_names(rows), keep=rows["keep"].astype(float))


def _ours(tables: Tables) -> pd.DataFrame:
    """Index (contestant, keep); columns ours, prompts, subsets."""
    means = _accuracies(tables).groupby(["contestant", "keep", "task"])["value"].agg(["mean", "count"])
    subsets = means.groupby(["contestant", "keep"])
    return pd.DataFrame(
        {"ours": 100 * subsets["mean"].mean(), "prompts": subsets["count"].sum(), "subsets": subsets.size()}
    )


def published_text(tables: Tables) -> str:
    """The same as Markdown, with the source of each number.

    Args:
        tables: of a run of evaluation=accuracy on LongBench.

    Raises:
        ValueError: the tables hold another task than LongBench's subsets.
    """
    beside = beside_published(tables)
    counts = _accuracies(tables).drop_duplicates(["task", "sample"])["task"].value_counts(sort=False)
    listed = ", ".join(f"{str(task).removeprefix(TASK)} ({count})" for task, count in counts.items())
    ours = (
        f"{models(tables)}, {counts.sum()} prompts of {len(counts)} subsets: {listed}" if len(counts) else "no prompt"
    )
    lines = [
        "# Accuracy beside published accuracy",
        "",
        f"- published: {MODEL}, average over LongBench, from {SOURCE}",
        f"- ours: {ours}",
        "- Accuracy is in percent. Ours is the mean within each subset and then over subsets, as LongBench averages.",
        "- `of full`: percent of the same run's full prefill. Compare accuracies only where the model, the subsets and the",
        "  prompts are the same; of ours, compare only rows with the same numbers of prompts and subsets.",
        f"- `{ABSENT}`: not published, or not run.",
        "",
        "| contestant | keep % | published | of full | ours | of full | prompts | subsets |",
        "|---|---|---|---|---|---|---|---|",
    ]
    columns = ["published", "published_of_full", "ours", "ours_of_full", "prompts", "subsets"]
    formats = ["{:.2f}", "{:.1f} %", "{:.2f}", "{:.1f} %", "{:.0f}", f"{{:.0f}} of {len(counts)}"]
    for (name, k), numbers in zip(beside.index, beside[columns].to_numpy(dtype=float, na_value=np.nan), strict=True):
        cells = [ABSENT if np.isnan(each) else form.format(each) for form, each in zip(formats, numbers, strict=True)]
        lines.append(f"| {' | '.join([name, f'{k:g}', *cells])} |")
    return "\n".join(lines) + "\n"
