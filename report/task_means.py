"""The printed means of each task, where a run has several."""

import pandas as pd

from tokenrank.records.schema import contestant_names
from tokenrank.records.tables import Tables
from tokenrank.report.contestant_rows import in_order, keep_rates
from tokenrank.report.ranking_rows import at, label, ranked_metrics


def ranking_by_task(tables: Tables, k: float) -> str:
    """A line a task, a column a heuristic: means over layers of the first metric; empty where there is one task."""
    metrics = ranked_metrics(tables)
    if not metrics:
        return ""
    rows = at(_of_tasks(tables.summary), metrics[0], k)
    rows = rows[~rows["windowed"].fillna(False).astype(bool)]
    return _shown(rows, f"{label(tables.metrics, metrics[0], k)} by task, mean over layers", sort=False)


def accuracy_by_task(tables: Tables) -> str:
    """A line a task, a column a contestant: accuracy at the middle one of the keep rates; empty where there is one task."""
    rates = keep_rates(tables)
    keep = rates[len(rates) // 2]
    rows = _of_tasks(tables.summary)
    rows = rows[(rows["metric"] == "accuracy") & ((rows["keep"] == keep) | (rows["engine"] == "full"))]
    others = "; other rates are in summary.parquet" if len(rates) > 1 else ""
    return _shown(rows, f"accuracy by task, at {keep:g} %{others}", sort=True)


def _of_tasks(summary: pd.DataFrame) -> pd.DataFrame:
    own = summary["task"].notna() & summary["sample"].isna() & summary["against"].isna() & summary["other_layer"].isna()
    return summary[own & (summary["statistic"] == "mean")]


def _shown(rows: pd.DataFrame, heading: str, *, sort: bool) -> str:
    if rows.empty:
        return ""
    rows = rows.assign(contestant=contestant_names(rows)).drop_duplicates(["task", "contestant"])
    wide = rows.pivot(index="task", columns="contestant", values="value")
    names = rows["contestant"].unique()
    wide = wide.reindex(index=rows["task"].unique(), columns=in_order(names) if sort else names)
    wide.insert(0, "prompts", rows.groupby("task")["prompts"].max())
    text = wide.rename_axis(index=None, columns=None).to_string(float_format="{:.3f}".format, na_rep="-")
    return f"{heading}\n{text}"
