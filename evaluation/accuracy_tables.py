"""Tables of evaluation=accuracy: costs as ratios to the full prefill, means over prompts, the gap closed."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from tokenrank.evaluation.evaluation import Row
from tokenrank.evaluation.family import Family
from tokenrank.evaluation.summary_rows import Comparing, over_prompts
from tokenrank.metrics.gap_closed import gap_closed
from tokenrank.records.schema import FULL, ORACLE, RANDOM, SUMMARY, concatenated, contestant_names, table

RATIOS = {"flops": "flops_ratio", "kv_bytes": "kv_ratio"}
NUMBERS = ("value", "low", "high", "p")  # columns of SUMMARY


def costs(run: Mapping[str, Any], full: Mapping[str, Any]) -> Iterator[Row]:
    """The accuracy of one run, and its costs: operations counted and bytes held, also as ratios to the full prefill's.

    No seconds: the same run gives the same rows again. evaluation=ttft measures time.
    """
    whose = {name: run[name] for name in ("engine", "heuristic", "keep")}
    for metric in ("accuracy", *RATIOS):
        if run.get(metric) is None:
            continue
        yield whose | {"metric": metric, "value": float(run[metric])}
        if metric in RATIOS:
            yield whose | {"metric": RATIOS[metric], "value": run[metric] / full[metric]}


def accuracy_summary(
    measured: pd.DataFrame, keep: list[float], seed: int, resamples: int, family: Family
) -> pd.DataFrame:
    """Means over prompts with intervals, comparisons of accuracy at each keep rate, and the gap closed.

    Only prompts that all contestants answered at all keep rates count, so that all contestants' means are over the same prompts.
    Means of accuracy and the gap are over those of them that were graded; costs need no grade.
    """
    shared = graded_by_all(answered_by_all(measured))
    at_each = at_each_rate(shared, keep).assign(statistic="mean")
    comparing = Comparing(seed, resamples, lambda named: named["metric"] == "accuracy", lambda _: True, family)
    means = over_prompts(at_each, ["keep", "metric", "statistic"], comparing)
    full = (means["engine"] == FULL) & means["against"].isna()
    means.loc[full, "keep"] = 100.0  # the same at every keep rate, so one row
    gaps = table(_gaps(at_each[at_each["metric"] == "accuracy"]), SUMMARY)
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


def graded_by_all(measured: pd.DataFrame) -> pd.DataFrame:
    """The rows without the accuracy of prompts whose answers were not all graded; a prompt without reference answers has none."""
    is_accuracy = measured["metric"] == "accuracy"
    return measured[~is_accuracy | _complete(measured, measured[is_accuracy])]


def _complete(rows: pd.DataFrame, values: pd.DataFrame) -> "pd.Series[bool]":
    """Which rows are of prompts with a value of every contestant at every keep rate; one without any value there does not count."""
    named = values.assign(contestant=contestant_names(values), value=1.0)
    each = named.drop_duplicates(["task", "sample", "contestant", "keep"])
    wide = each.pivot(index=["task", "sample"], columns=["contestant", "keep"], values="value")
    prompts = wide.dropna().index
    return pd.Series(pd.MultiIndex.from_frame(rows[["task", "sample"]]).isin(prompts), index=rows.index)


def _gaps(accuracy: pd.DataFrame) -> Iterator[Row]:
    """Rows of ``gap_closed``, where the oracle and random are among the contestants."""
    for rate, group in accuracy.groupby("keep", sort=False):
        named = group.assign(contestant=contestant_names(group))
        wide = named.pivot(index=["task", "sample"], columns="contestant", values="value")
        wide = wide[list(named["contestant"].unique())].dropna()
        if wide.empty or not {ORACLE, RANDOM} <= set(wide):
            continue
        names = [str(name) for name in wide]
        ends = gap_closed(wide.to_numpy(dtype=float), names.index(RANDOM), names.index(ORACLE))
        who = named.drop_duplicates("contestant").set_index("contestant")
        for name, value, low, high in zip(names, *ends, strict=True):
            yield {
                "model": group["model"].iloc[0], "engine": who.loc[name, "engine"], "heuristic": who.loc[name, "heuristic"],
                "keep": rate, "metric": "accuracy", "statistic": "gap_closed", "value": value, "low": low, "high": high,
                "prompts": len(wide),
            }  # fmt: skip
