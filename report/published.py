"""Our scores on LongBench beside those that were published for the same engines: the same question, another run.

Source: McDanel, Li, Khaitan 2026, https://arxiv.org/abs/2602.16054.
"""

import numpy as np
import pandas as pd

from tokenrank.report.engine_rows import FULL, engines, in_order, keep_rates, models

SOURCE = "[McDanel, Li, Khaitan 2026](https://arxiv.org/abs/2602.16054)"
MODEL = "Llama-3.1-8B-Instruct"
WHOLE = 100.0  # percent: the keep rate of the full prefill
PUBLISHED = {  # average over LongBench, in percent; engine -> keep rate in percent -> score
    FULL: {WHOLE: 49.32},
    "oracle": {10.0: 47.83, 20.0: 48.39, 40.0: 48.88},
    "claa": {10.0: 47.13, 20.0: 48.12, 40.0: 48.72},
    "fastkv": {10.0: 46.81, 20.0: 47.33, 40.0: 47.68},
    "speculative": {10.0: 41.99, 20.0: 44.57, 40.0: 46.55},
    "gemfilter": {10.0: 37.59, 20.0: 42.29, 40.0: 45.11},
}
TASK = "longbench/"
ABSENT = "-"


def beside_published(table: pd.DataFrame) -> pd.DataFrame:
    """Scores in percent, averaged as LongBench does: within each subset, then over subsets.

    Args:
        table: as in metrics.parquet of a run of evaluation=accuracy on LongBench.

    Returns:
        Index (engine, keep), keep rates in percent, 100 for ``full``. Columns ``published`` and ``ours`` in [0, 100],
        ``published_of_full`` and ``ours_of_full`` the same as percent of the full prefill's, and ``prompts`` and
        ``subsets``, how many ours is from. NaN where there is no such number. Where an engine lacks some subsets its own
        are not comparable with another's: ``subsets`` says so.

    Raises:
        ValueError: the table holds another task than LongBench's subsets.
    """
    others = [task for task in table["task"].dropna().unique() if not str(task).startswith(TASK)]
    if others:
        raise ValueError(f"the table's tasks hold {', '.join(others)}, must be {TASK}SUBSET only")
    ours = _ours(table)
    named = in_order([*PUBLISHED, *(name for name in engines(table) if name not in PUBLISHED)])
    rates = sorted({k for scores in PUBLISHED.values() for k in scores if k != WHOLE} | set(keep_rates(table)))
    index = [(name, k) for name in named for k in ([WHOLE] if name == FULL else rates)]
    beside = pd.DataFrame(index=pd.MultiIndex.from_tuples(index, names=["engine", "keep"]))
    beside["published"] = [PUBLISHED.get(name, {}).get(k, float("nan")) for name, k in index]
    beside = beside.join(ours)
    for column in ("published", "ours"):
        scores = beside[column].to_numpy(dtype=float)
        full = scores[0] if scores[0] > 0 else float("nan")  # the full prefill is the first
        beside[f"{column}_of_full"] = 100 * scores / full
    return beside.astype({"prompts": "Int64", "subsets": "Int64"})


def _ours(table: pd.DataFrame) -> pd.DataFrame:
    """Index (engine, keep); columns ours, prompts, subsets."""
    rows = table[table["sample"].notna() & (table["metric"] == "score")].dropna(subset=["value"])
    rows = rows.assign(engine=rows["heuristic"], keep=rows["k"].astype(float).mask(rows["heuristic"] == FULL, WHOLE))
    rows = rows.drop_duplicates(["engine", "keep", "task", "sample"])  # the full prefill stands at every keep rate
    subsets = rows.groupby(["engine", "keep", "task"])["value"].agg(["mean", "count"]).groupby(["engine", "keep"])
    return pd.DataFrame(
        {"ours": 100 * subsets["mean"].mean(), "prompts": subsets["count"].sum(), "subsets": subsets.size()}
    )


def published_text(table: pd.DataFrame) -> str:
    """The same as Markdown, with what each number is from.

    Args:
        table: as in metrics.parquet of a run of evaluation=accuracy on LongBench.

    Raises:
        ValueError: the table holds another task than LongBench's subsets.
    """
    beside = beside_published(table)
    rows = table[table["sample"].notna() & (table["metric"] == "score")].dropna(subset=["value"])
    counts = rows.drop_duplicates(["task", "sample"])["task"].value_counts(sort=False)
    listed = ", ".join(f"{str(task).removeprefix(TASK)} ({count})" for task, count in counts.items())
    ours = f"{models(table)}, {counts.sum()} prompts of {len(counts)} subsets: {listed}" if len(counts) else "no prompt"
    lines = [
        "# Beside published scores",
        "",
        f"- published: {MODEL}, average over LongBench, from {SOURCE}",
        f"- ours: {ours}",
        "- Scores are in percent, ours the mean within each subset and then over subsets, as LongBench averages.",
        "- `of full`: as a share of the same run's full prefill. Scores themselves cannot be compared where the model, the",
        "  subsets or the prompts differ; of ours, neither can rows that are from fewer prompts or subsets than others.",
        f"- `{ABSENT}`: not published, or not run.",
        "",
        "| engine | keep % | published | of full | ours | of full | prompts | subsets |",
        "|---|---|---|---|---|---|---|---|",
    ]
    columns = ["published", "published_of_full", "ours", "ours_of_full", "prompts", "subsets"]
    formats = ["{:.2f}", "{:.1f} %", "{:.2f}", "{:.1f} %", "{:.0f}", f"{{:.0f}} of {len(counts)}"]
    for (engine, k), numbers in zip(beside.index, beside[columns].to_numpy(dtype=float, na_value=np.nan), strict=True):
        cells = [ABSENT if np.isnan(each) else form.format(each) for form, each in zip(formats, numbers, strict=True)]
        lines.append(f"| {' | '.join([engine, f'{k:g}', *cells])} |")
    return "\n".join(lines) + "\n"
