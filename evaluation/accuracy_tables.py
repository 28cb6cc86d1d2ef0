"""Tables of evaluation=accuracy and evaluation=fidelity: costs as ratios to the full prefill, means over prompts, the gap closed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from tokenrank.evaluation.evaluation import Row
from tokenrank.evaluation.family import Family
from tokenrank.evaluation.summary_rows import Comparing, over_prompts
from tokenrank.metrics.gap_closed import gap_closed
from tokenrank.records.measures import ACCURACY, COSTS, FIDELITY, KL, LOSS, LOWER_IS_BETTER, NEEDLE_KEPT, RESULTS
from tokenrank.records.schema import FULL, SUMMARY, concatenated, contestant_names, is_bound, is_control, table

BY_TASK = (ACCURACY, LOSS, KL)  # compared within each task too; all thirteen would take minutes
NUMBERS = ("value", "low", "high", "p")  # columns of SUMMARY


def costs(run: Mapping[str, Any], full: Mapping[str, Any]) -> Iterator[Row]:
    """All that was measured of one run: its results, and its costs, also as ratios to the full prefill's.

    No seconds: the same run gives the same rows again. evaluation=ttft measures time.

    Args:
        run: of a contestant, by name of the metric; what it lacks, or has as None, is no row.
        full: the full prefill's.
    """
    whose = {name: run[name] for name in ("engine", "heuristic", "keep")}
    for metric in (ACCURACY, NEEDLE_KEPT, *COSTS, *FIDELITY):
        if run.get(metric) is None:
            continue
        yield whose | {"metric": metric, "value": float(run[metric])}
        if metric in COSTS and full.get(metric):
            yield whose | {"metric": COSTS[metric], "value": run[metric] / full[metric]}


def accuracy_summary(
    measured: pd.DataFrame, keep: list[float], seed: int, resamples: int, family: Family, main: str = ACCURACY
) -> pd.DataFrame:
    """Means over prompts with intervals, comparisons at each keep rate in accuracy and all measures of fidelity, and the gap closed.

    All are over all prompts, and by task where there are several; comparisons by task only in accuracy, loss, KL and the declared metric.

    Only prompts that all contestants answered at all keep rates count, and for a metric those of them in which all contestants have it:
    a prompt without reference answer has costs and no accuracy. So all contestants' means are over the same prompts.

    Args:
        measured: as records.schema.MEASURED.
        keep: keep rates in percent.
        seed: of random sign flips.
        resamples: random sign flips.
        family: which pairs are compared.
        main: the metric that is declared where the family names none.
    """
    shared = measured_by_all(answered_by_all(measured))
    at_each = at_each_rate(shared, keep).assign(statistic="mean")
    declared = family.metric or main
    comparing = Comparing(
        seed,
        resamples,
        compared=lambda named: named["metric"] in RESULTS,
        declared=lambda named: named["metric"] == declared,
        family=family,
        by_task=lambda named: named["metric"] in {*BY_TASK, declared},
    )
    means = over_prompts(at_each, ["keep", "metric", "statistic"], comparing)
    full = (means["engine"] == FULL) & means["against"].isna()
    means.loc[full, "keep"] = 100.0  # the same at every keep rate, so one row
    gaps = table(_gaps(at_each[at_each["metric"].isin(RESULTS)]), SUMMARY)
    who = [name for name in SUMMARY if name not in NUMBERS]  # ends may differ by rounding
    return concatenated([means.drop_duplicates(who), gaps], SUMMARY)


def at_each_rate(measured: pd.DataFrame, keep: list[float]) -> pd.DataFrame:
    """The rows by keep rate; those of the full prefill, which is the same at all, are repeated at each."""
    full = measured["engine"] == FULL
    return pd.concat([measured[full].assign(keep=rate) for rate in keep] + [measured[~full]], ignore_index=True)


def answered_by_all(measured: pd.DataFrame) -> pd.DataFrame:
    """The rows of the prompts that every contestant answered at every keep rate, graded or not.

    A contestant that answered nothing at a keep rate does not count there.
    """
    return measured[_complete(measured, measured)]


def measured_by_all(measured: pd.DataFrame) -> pd.DataFrame:
    """The rows of each metric of the prompts in which every contestant has it at every keep rate.

    A contestant that never has a metric at a keep rate does not count for it there.
    """
    each = [rows[_complete(rows, rows)] for _, rows in measured.groupby("metric", sort=False)]
    return pd.concat(each).sort_index() if each else measured


def _complete(rows: pd.DataFrame, values: pd.DataFrame) -> "pd.Series[bool]":
    """Which rows are of prompts with a value of every contestant at every keep rate; one without any value there does not count."""
    named = values.assign(contestant=contestant_names(values), value=1.0)
    each = named.drop_duplicates(["task", "sample", "contestant", "keep"])
    wide = each.pivot(index=["task", "sample"], columns=["contestant", "keep"], values="value")
    prompts = wide.dropna().index
    return pd.Series(pd.MultiIndex.from_frame(rows[["task", "sample"]]).isin(prompts), index=rows.index)


def _gaps(results: pd.DataFrame) -> Iterator[Row]:
    """Rows of ``gap_closed`` between the control and the bound of each engine that has both, over all prompts and by task."""
    for (rate, metric), group in results.groupby(["keep", "metric"], sort=False):
        named = group.assign(contestant=contestant_names(group))
        wide = named.pivot(index=["task", "sample"], columns="contestant", values="value").dropna()
        tasks = wide.index.get_level_values("task")
        several = {task: wide[tasks == task] for task in tasks.unique()}
        for task, own in {None: wide, **(several if len(several) > 1 else {})}.items():
            common = {
                "model": group["model"].iloc[0],
                "keep": rate,
                "metric": metric,
                "task": task,
                "prompts": len(own),
            }
            for engine, whose in named.groupby("engine", sort=False):
                names = [str(name) for name in whose["contestant"].unique()]
                for gap in _gaps_of_engine(own[names], names, str(metric)) if len(own) else ():
                    yield common | {"engine": engine, "statistic": "gap_closed"} | gap


def _gaps_of_engine(wide: pd.DataFrame, names: Sequence[str], metric: str) -> Iterator[Row]:
    """The contestants of one engine; (prompts, contestants) values of a metric."""
    low, high = (
        next((place for place, name in enumerate(names) if is_end(name)), None) for is_end in (is_control, is_bound)
    )
    if low is None or high is None:
        return
    upward = -1.0 if metric in LOWER_IS_BETTER else 1.0
    found = gap_closed(upward * wide.to_numpy(dtype=float), low, high)
    for name, value, start, end in zip(names, *found, strict=True):
        yield {"heuristic": name, "value": value, "low": start, "high": end}
