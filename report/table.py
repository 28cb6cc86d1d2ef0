"""The run in one table, as printed at its end."""

import pandas as pd

from tokenrank.report.selection import at, chance, label, metric_names

WIDTH = len(" (-0.000)")


def summary(table: pd.DataFrame, k: float) -> str:
    """One line a heuristic, best first: per metric the mean over layers and, in brackets, the worst layer.

    Both are taken per prompt and averaged over the prompts.

    Args:
        table: as in metrics.parquet.
        k: percent; which k is shown.
    """
    metrics = metric_names(table)
    if not metrics:
        return "no prompt could be ranked" if table.empty else "no metric has a value at the one layer that was ranked"
    columns = {}
    for metric in metrics:
        mean, worst = (
            at(table, f"{metric}.{statistic}", k).groupby("heuristic")["value"].mean()
            for statistic in ("mean", "worst")
        )
        cells = mean.map("{:.3f}".format) + worst.map("({:.3f})".format).str.rjust(WIDTH)
        cells["(chance)"] = f"{chance(table, metric, k):.3f}" + " " * WIDTH
        columns[label(table, metric, k)] = cells
    first = at(table, f"{metrics[0]}.mean", k).groupby("heuristic")["value"].mean().sort_values(ascending=False)
    shown = pd.DataFrame(columns).loc[[*first.index, "(chance)"]]
    prompts = table["sample"].nunique()
    return f"mean over layers (worst layer), average of {prompts} prompts\n{shown.rename_axis(None).to_string()}"
