"""The one frame from which report.md, report.tex, report.csv, tables of several runs and the leaderboard are made."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from tokenrank.records.measures import COSTS, better
from tokenrank.records.schema import FULL, contestant_names, is_bound, is_control
from tokenrank.report.rows.compared_pairs import family_of
from tokenrank.report.rows.comparisons import LEVEL
from tokenrank.report.rows.contestant_rows import GAP_CLOSED, RANKING, models, tasks
from tokenrank.report.rows.loaded_run import LoadedRun
from tokenrank.report.rows.phrases import count
from tokenrank.report.rows.published import PUBLISHED
from tokenrank.report.rows.published import TASK as LONGBENCH
from tokenrank.report.rows.ranking_rows import chance

METHOD, BOUND, CONTROL, WHOLE, CHANCE, IN_PRINT = "method", "bound", "control", "full", "chance", "published"
STATISTICS = ("mean", "worst", "std", GAP_CLOSED)
COLUMNS = [
    "run", "model", "task", "chosen", "method", "role", "engine", "metric", "truth", "k", "keep", "statistic", "value", "low", "high", "prompts",
    "best", "dagger",
]  # fmt: skip
BASELINES = ("recency", "sinks")  # that no test compares unless compare.controls is true; nobody's method
ALL = "all"  # compare.against: every two methods


def result_rows(run: LoadedRun, against: str | None = None) -> pd.DataFrame:
    """Results of a run over all of its prompts; every number is one of summary.parquet, chance levels and published ones apart.

    Args:
        run: of evaluation=ranking, accuracy or fidelity.
        against: the method that a dagger compares with; None: that of ``compare.against``, or else every other compared method.

    Returns:
        A row for each method, metric, k or keep rate, and statistic (mean, worst and std over layers, or mean and gap_closed).
        ``role``: method, bound, control, full, chance or published. ``best``: the best method of its metric, k or keep rate, and statistic;
        several if they are equal. ``dagger``: the declared test shows that the method is better than ``against``; never of a
        statistic, metric or k that was not declared. ``chosen``: by what prompts were chosen of those that were measured. ``truth``: that
        rankings are measured against; missing where a value needs none.

    Raises:
        ValueError: ``against`` is in no declared comparison of the run.
    """
    summary = run.tables.summary
    own = summary["statistic"].isin(STATISTICS) & ~summary["windowed"].fillna(False).astype(bool)
    for column in ("task", "sample", "against", "layer", "other_layer"):
        own &= summary[column].isna()
    rows = summary[own & ~((summary["statistic"] == GAP_CLOSED) & (summary["engine"] == FULL))]
    rows = rows.assign(method=contestant_names(rows).astype(str))
    rows = rows.assign(role=[_role(name) for name in rows["method"]])
    rows = pd.concat([rows, _by_chance(run), _in_print(run)], ignore_index=True)
    rows = rows.assign(
        run=run.name, model=models(run.tables), task=tasks(run.tables.metrics), chosen=run.tables.chosen or None
    )
    rows = rows.assign(best=_best(rows), dagger=_daggers(rows, declared_family(run), compared_with(run, against)))
    return rows.reindex(columns=COLUMNS).astype({"k": "Float64", "keep": "Float64", "prompts": "Int64"})


def measured(run: LoadedRun, rows: pd.DataFrame) -> str:
    """``llama3 on longbench (6 subsets), 24 prompts``: on what rows of ``result_rows`` were measured, and how many prompts their means are over."""
    chosen = f" with {run.tables.chosen}" if run.tables.chosen else ""
    return f"{rows['model'].iloc[0]} on {tasks(run.tables.metrics)}, {count(int(rows['prompts'].fillna(0).max()), 'prompt')}{chosen}"


def is_end(rows: pd.DataFrame) -> "pd.Series[bool]":
    """Whether rows of ``result_rows`` hold the gap closed of an end of the gap: 1 and 0 by definition."""
    return (rows["statistic"] == GAP_CLOSED) & rows["role"].isin([BOUND, CONTROL]) & ~rows["method"].isin(BASELINES)


def declared_family(run: LoadedRun) -> pd.DataFrame:
    """As ``family_of``, without rows that are exploratory: no dagger stands for them."""
    rows = family_of(run.tables)
    return rows[~rows["exploratory"].fillna(value=False).astype(bool)]


def compared_with(run: LoadedRun, against: str | None) -> str | None:
    """The method that daggers compare with; None: every other compared method.

    Raises:
        ValueError: ``against`` is in no declared comparison of the run.
    """
    rows = declared_family(run)
    names = list(dict.fromkeys([*rows["contestant"].astype(str), *rows["against"].astype(str)]))
    if against is not None and against not in names:
        allowed = (
            f"one of the methods that {run.name} compares: {', '.join(names)}"
            if names
            else f"left out: {run.name} compares none"
            + (f" against {run.tables.other_truth} by a declared test" if run.tables.other_truth else "")
        )
        raise ValueError(f"against is {against!r}, must be {allowed}")
    settings = ((run.config.get("evaluation") or {}).get("compare") or {}).get("against", ALL)
    return against if against is not None else settings if settings in names and settings != ALL else None


def _role(name: str) -> str:
    if name == FULL:
        return WHOLE
    return BOUND if is_bound(name) else CONTROL if is_control(name) or name in BASELINES else METHOD


def _best(rows: pd.DataFrame) -> "pd.Series[bool]":
    """Whether a row is the best method of its group; no costs, as the cheapest is no result."""
    found = pd.Series(data=False, index=rows.index)
    methods = rows[(rows["role"] == METHOD) & rows["value"].notna() & ~rows["metric"].isin([*COSTS, *COSTS.values()])]
    for (metric, _, _, statistic), group in methods.groupby(["metric", "k", "keep", "statistic"], dropna=False):
        more = statistic == GAP_CLOSED or (statistic != "std" and better(str(metric), 1.0))
        found[group.index] = group["value"] == (group["value"].max() if more else group["value"].min())
    return found


def _daggers(rows: pd.DataFrame, family: pd.DataFrame, against: str | None) -> "pd.Series[bool]":
    """Whether the declared test shows that a row's method is better than ``against``, or than every other one that was compared."""
    won = set(_winners(family, against))
    keys = zip(rows["method"], rows["metric"], rows["k"].fillna(-1), rows["keep"].fillna(-1), strict=True)
    proven = [key in won for key in keys]
    return pd.Series(proven, index=rows.index) & (rows["statistic"] == "mean") & (rows["role"] == METHOD)


def _winners(compared: pd.DataFrame, against: str | None) -> Iterator[tuple[str, str, float, float]]:
    """Method, metric, k and keep rate (-1: none)."""
    rows = compared.assign(k=compared["k"].fillna(-1), keep=compared["keep"].fillna(-1))
    for _, family in rows.groupby(["metric", "k", "keep"], sort=False):
        metric, k, keep = str(family["metric"].iloc[0]), float(family["k"].iloc[0]), float(family["keep"].iloc[0])
        pairs = family[["contestant", "against", "value", "p"]].to_dict("records")
        names = dict.fromkeys(str(row[side]) for row in pairs for side in ("contestant", "against"))
        for name in names:
            others = [other for other in names if other != name] if against is None else [against]
            if name not in others and all(_is_better(metric, pairs, name, other) for other in others):
                yield name, metric, k, keep


def _is_better(metric: str, pairs: Sequence[Mapping[Any, Any]], name: str, other: str) -> bool:
    for row in pairs:
        sign = {(name, other): 1, (other, name): -1}.get((str(row["contestant"]), str(row["against"])), 0)
        if sign:
            return bool(pd.notna(row["p"]) and row["p"] <= LEVEL) and better(metric, sign * float(row["value"]))
    return False


def _by_chance(run: LoadedRun) -> pd.DataFrame:
    """What a random ranking reaches in expectation, in the metrics and k of a run of evaluation=ranking where that is known."""
    if run.kind != RANKING:
        return pd.DataFrame()
    metrics = run.tables.metrics
    known = metrics["heuristic"].isna() & metrics["layer"].isna() & metrics["value"].notna()
    level = metrics[known][["metric", "truth", "k"]].drop_duplicates()
    return pd.DataFrame(
        [
            {
                "method": CHANCE,
                "role": CHANCE,
                "metric": metric,
                "truth": truth,
                "k": k,
                "statistic": "mean",
                "value": chance(metrics, metric, k),
            }
            for metric, truth, k in level.itertuples(index=False)
        ]
    )


def _in_print(run: LoadedRun) -> pd.DataFrame:
    """Published accuracy on LongBench, in [0, 1], where the run is of the same task and evaluation."""
    if "accuracy" not in set(run.tables.metrics["metric"]) or run.kind == RANKING:
        return pd.DataFrame()
    if not run.tables.samples["task"].astype(str).str.startswith(LONGBENCH).all():
        return pd.DataFrame()
    found = [
        {
            "method": name,
            "role": IN_PRINT,
            "metric": "accuracy",
            "keep": keep,
            "statistic": "mean",
            "value": value / 100,
        }
        for name, at in PUBLISHED.items()
        for keep, value in at.items()
    ]
    return pd.DataFrame(found)
