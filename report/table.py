"""The printed table of evaluation=ranking."""

import pandas as pd

from tokenrank.records.tables import Tables
from tokenrank.report.ranking_rows import chance, label, over_layers, over_prompts, ranked_metrics, shared

WIDTH = len(" (-0.000)")


def summary(tables: Tables, k: float) -> str:
    """One line a heuristic, best first: per metric the mean over layers and, in brackets, the worst layer.

    Both are taken per prompt and averaged over the prompts. The mean of the first metric has its 95 % interval beside it,
    where there are three prompts or more.

    Args:
        tables: of the run.
        k: percent; which k is shown.
    """
    metrics = ranked_metrics(tables)
    if not metrics:
        nothing = tables.metrics.empty
        return "no prompt could be ranked" if nothing else "no metric has a value at the one layer that was ranked"
    alike = _of_shared(tables, metrics[0], "mean", k)
    if alike.empty:
        return "no prompt was ranked by every heuristic"
    columns = {}
    for metric in metrics:
        mean, worst = (_means(tables, metric, statistic, k) for statistic in ("mean", "worst"))
        cells = mean.map("{:.3f}".format) + worst.map("({:.3f})".format).str.rjust(WIDTH)
        cells["(chance)"] = f"{chance(tables.metrics, metric, k):.3f}" + " " * WIDTH
        columns[label(tables.metrics, metric, k)] = cells
        if metric == metrics[0]:
            ends = over_prompts(tables.summary, metric, "mean", k)[["low", "high"]].dropna().astype(float)
            if len(ends):
                columns["[95 %]"] = "[" + ends["low"].map("{:.3f}".format) + ", " + ends["high"].map("{:.3f}]".format)
    first = _means(tables, metrics[0], "mean", k).sort_values(ascending=False)
    shown = pd.DataFrame(columns).reindex([*first.index, "(chance)"]).fillna("")
    prompts = alike["sample"].nunique()
    heading = f"mean over layers (worst layer), average of {prompts} prompt{'s' * (prompts != 1)}"
    return f"{heading}\n{shown.rename_axis(None).to_string()}"


def _means(tables: Tables, metric: str, statistic: str, k: float) -> "pd.Series[float]":
    return _of_shared(tables, metric, statistic, k).groupby("heuristic")["value"].mean()


def _of_shared(tables: Tables, metric: str, statistic: str, k: float) -> pd.DataFrame:
    """The statistic of single prompts, of those that every heuristic ranked."""
    rows = over_layers(tables.summary, metric, statistic, k)
    return rows[rows["sample"].isin(shared(rows))]
