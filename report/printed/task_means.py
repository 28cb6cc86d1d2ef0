"""The printed means of each task, where a run has several."""

import pandas as pd

from tokenrank.records.schema import FULL, contestant_names
from tokenrank.records.tables import Tables
from tokenrank.report.printed.fitting import shortened
from tokenrank.report.rows.aligned import WIDTH, Column, aligned, number, wrapped
from tokenrank.report.rows.contestant_rows import engines_of, in_order, keep_rates
from tokenrank.report.rows.ranking_rows import at, label, ranked_metrics

FIRST, HEADING = 24, 15  # letters of a name in front of a line, and above a column


def ranking_by_task(tables: Tables, k: float) -> str:
    """A line a task, a column a heuristic: means over layers of the first metric; empty where there is one task."""
    metrics = ranked_metrics(tables)
    if not metrics:
        return ""
    rows = at(_of_tasks(tables.summary), metrics[0], k)
    rows = rows[~rows["windowed"].fillna(False).astype(bool)]
    if rows.empty:
        return ""
    wide, prompts, of = _without_family(*_by_task(rows))
    wide = wide.map(number)
    wide.insert(0, "prompts", prompts.map("{:.0f}".format))
    return f"{label(tables.metrics, metrics[0], k)} by task{of}, mean over layers\n{_in_blocks(wide)}"


def contestants_by_task(tables: Tables, metric: str) -> str:
    """A line a contestant, a column a task: a measure at the middle one of the keep rates; empty where there is one task.

    Args:
        tables: of a run of evaluation=accuracy or evaluation=fidelity.
        metric: name of the measure.
    """
    rates = keep_rates(tables)
    keep = rates[len(rates) // 2]
    rows = _of_tasks(tables.summary)
    rows = rows[(rows["metric"] == metric) & ((rows["keep"] == keep) | (rows["engine"] == FULL))]
    if rows.empty:
        return ""
    wide, prompts, of = _without_family(*_by_task(rows))
    engines = engines_of(tables)
    wide = wide[in_order(wide.columns, engines)]
    lines = pd.concat([prompts.map("{:.0f}".format).to_frame("(prompts)"), wide.map(number)], axis="columns").T
    others = "; other rates are in summary.parquet" if len(rates) > 1 else ""
    return f"{wrapped(f'{metric} by task{of}, at {keep:g} %{others}')}\n{_in_blocks(lines)}"


def _of_tasks(summary: pd.DataFrame) -> pd.DataFrame:
    own = summary["task"].notna() & summary["sample"].isna() & summary["against"].isna() & summary["other_layer"].isna()
    return summary[own & (summary["statistic"] == "mean")]


def _by_task(rows: pd.DataFrame) -> tuple[pd.DataFrame, "pd.Series[int]"]:
    """Index tasks, columns contestants; and the number of prompts of each task."""
    rows = rows.assign(contestant=contestant_names(rows)).drop_duplicates(["task", "contestant"])
    wide = rows.pivot(index="task", columns="contestant", values="value")
    wide = wide.reindex(index=rows["task"].unique(), columns=rows["contestant"].unique())
    return wide, rows.groupby("task")["prompts"].max().reindex(wide.index)


def _without_family(wide: pd.DataFrame, prompts: "pd.Series[int]") -> tuple[pd.DataFrame, "pd.Series[int]", str]:
    """Both without what is before the ``/`` in the names of all tasks, and the words that say so: `` of longbench``."""
    family = {str(name).partition("/")[0] for name in wide.index}
    if len(family) > 1 or not all("/" in str(name) for name in wide.index):
        return wide, prompts, ""
    subsets = [str(name).partition("/")[2] for name in wide.index]
    return wide.set_axis(subsets), prompts.set_axis(subsets), f" of {family.pop()}"


def _in_blocks(cells: pd.DataFrame) -> str:
    """A line for each row of the index; columns that do not fit beside the others follow in a table of their own."""
    forms = shortened([str(name) for name in cells.index], FIRST)
    names = Column("", [forms[str(name)] for name in cells.index], left=True)
    headings = shortened([str(name) for name in cells], HEADING)
    blocks = [[names]]
    for heading in cells:
        column = Column(headings[str(heading)], cells[heading].tolist())
        if len(blocks[-1]) > 1 and len(aligned([*blocks[-1], column]).splitlines()[0]) > WIDTH:
            blocks.append([names])
        blocks[-1].append(column)
    return "\n\n".join(aligned(block) for block in blocks)
