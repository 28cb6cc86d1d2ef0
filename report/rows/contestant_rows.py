"""Selects from the tables of evaluation=accuracy, fidelity and ttft what one figure or table shows.

A contestant is an engine with the heuristic that ranks for it. It is named after its heuristic, or after its engine where that is
null (the full prefill). The full prefill has one row, at keep rate 100; tables made here show its value at every keep rate.
Contestants stand beside their engine's own bound (``oracle``, ``oracle@gemfilter``) and control (``random``, ``random@gemfilter``).
"""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from tokenrank.records.measures import LOSS
from tokenrank.records.schema import FULL, contestant_names, is_bound, is_control
from tokenrank.records.tables import Tables

NAMED_SUBSETS = 3  # more of them are counted, not named
WHOLE = 100.0  # percent: the keep rate of the full prefill
TIMES = ("ttft", "ttft_ratio")  # of single prompts they are in summary.parquet: medians of the repeats
RANKING, ACCURACY, FIDELITY, TTFT = "ranking", "accuracy", "fidelity", "ttft"
TIMED = "choosing_share"  # a metric of evaluation=ttft alone, which has it of every contestant
GAP_CLOSED = "gap_closed"  # a statistic


def kind(tables: Tables) -> str | None:
    """``ranking``, ``accuracy``, ``fidelity`` or ``ttft``: which evaluation the tables are from; None where nothing was measured."""
    metrics, runs = tables.metrics, tables.runs
    if not metrics.empty and metrics["engine"].isna().all():
        return RANKING
    if not metrics.empty:
        return TTFT if TIMED in set(metrics["metric"]) else FIDELITY if _only_fed(tables) else ACCURACY
    if not runs.empty:
        return ACCURACY if runs["repeat"].isna().all() else TTFT
    return None


def _only_fed(tables: Tables) -> bool:
    """Whether contestants were fed an answer and gave none of their own, graded or not; the full prefill's may be graded."""
    metrics, runs = (table[contestant_names(table) != FULL] for table in (tables.metrics, tables.runs))
    measured = set(metrics["metric"])
    return LOSS in measured and ACCURACY not in measured and not runs["answer_tokens"].notna().any()


def contestants(tables: Tables) -> list[str]:
    """Names of the contestants that have a value, as ``in_order`` puts them."""
    engines = engines_of(tables)
    return in_order(engines, engines)


def engines_of(tables: Tables) -> dict[str, str]:
    """Contestant -> its engine, of those that have a value, in the order of the table."""
    rows = pd.concat([_whose(tables.metrics), _whose(tables.summary)]).dropna().drop_duplicates("contestant")
    return {str(name): str(engine) for name, engine in zip(rows["contestant"], rows["engine"], strict=True)}


def _whose(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(contestant=contestant_names(rows))[["contestant", "engine"]]


def in_order(named: Iterable[str], engines: Mapping[str, str]) -> list[str]:
    """Full first, then engine by engine: its bound, the others in the order given, its control.

    Args:
        named: contestants.
        engines: contestant -> its engine. Those that have none here stand together.

    >>> in_order(["claa", "tova", "random", "oracle", "full"], {"claa": "layerwise@claa"})
    ['full', 'claa', 'oracle', 'tova', 'random']
    """
    names = [str(name) for name in named]
    places = {engine: place for place, engine in enumerate(dict.fromkeys(engines.get(name, "") for name in names))}
    return sorted(names, key=lambda name: (name != FULL, places[engines.get(name, "")], _place_within(name)))


def _place_within(name: str) -> int:
    return 0 if is_bound(name) else 2 if is_control(name) else 1


def keep_rates(tables: Tables) -> list[float]:
    """Percent, ascending, of all but the full prefill; 100 where only that was measured."""
    pruned = tables.metrics[contestant_names(tables.metrics) != FULL]
    return sorted({float(keep) for keep in pruned["keep"].dropna()}) or [WHOLE]


def over_all(tables: Tables, metric: str, column: str = "value", statistic: str = "mean") -> pd.DataFrame:
    """A statistic over prompts: index contestants, columns keep rates; NaN where the table has none.

    Args:
        tables: of the run.
        metric: its name.
        column: ``value``, or ``low`` or ``high`` of its interval.
        statistic: ``mean`` or ``gap_closed``; of the latter the full prefill has none, as each engine has ends of its own.
    """
    rows = tables.summary
    own = rows["task"].isna() & rows["sample"].isna() & rows["against"].isna() & (rows["statistic"] == statistic)
    if statistic == GAP_CLOSED:
        own &= rows["engine"] != FULL
    return _wide(tables, rows[own & (rows["metric"] == metric)], column)


def of_sample(tables: Tables, metric: str, sample: str, column: str = "value") -> pd.DataFrame:
    """One number of one prompt: index contestants, columns keep rates; NaN where the table has none."""
    rows = _of_samples(tables, metric)
    return _wide(tables, rows[rows["sample"] == sample], column)


def of_samples(tables: Tables, metric: str, column: str = "value") -> pd.DataFrame:
    """One number of every prompt: index (contestant, keep), columns sample ids; NaN where the table has none."""
    rows = _placed(tables, _of_samples(tables, metric))
    wide = rows.pivot(index=["contestant", "keep"], columns="sample", values=column)
    asked = pd.MultiIndex.from_product([contestants(tables), keep_rates(tables)], names=["contestant", "keep"])
    return wide.reindex(index=asked).astype(float)


def _of_samples(tables: Tables, metric: str) -> pd.DataFrame:
    table = tables.summary[tables.summary["statistic"] == "median"] if metric in TIMES else tables.metrics
    return table[table["sample"].notna() & (table["metric"] == metric)]


def _placed(tables: Tables, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with their contestant; those of the full prefill that hold at any keep rate once for each."""
    rows = rows.assign(contestant=contestant_names(rows), keep=rows["keep"].astype(float))
    full = rows["contestant"] == FULL
    return pd.concat([rows[~full], *(rows[full].assign(keep=keep) for keep in keep_rates(tables))], ignore_index=True)


def _wide(tables: Tables, rows: pd.DataFrame, column: str) -> pd.DataFrame:
    wide = _placed(tables, rows).pivot(index="contestant", columns="keep", values=column)
    return wide.reindex(index=contestants(tables), columns=keep_rates(tables)).astype(float)


def answered(tables: Tables) -> pd.DataFrame:
    """How many prompts each contestant answered, graded or not: index contestants, columns keep rates."""
    rows = _placed(tables, tables.metrics[tables.metrics["sample"].notna()])
    each = rows.drop_duplicates(["task", "sample", "contestant", "keep"])
    wide = each.groupby(["contestant", "keep"]).size().unstack()
    return wide.reindex(index=contestants(tables), columns=keep_rates(tables)).fillna(0)


def prompts(tables: Tables) -> int:
    """How many prompts have at least one value."""
    return len(tables.metrics.dropna(subset=["sample"])[["task", "sample"]].drop_duplicates())


def models(tables: Tables) -> str:
    """Their names."""
    return ", ".join(tables.metrics["model"].unique())


def origin(tables: Tables) -> str:
    """``llama3 on longbench (6 subsets), 24 prompts``, for titles."""
    count = prompts(tables)
    chosen = f" with {tables.chosen}" if tables.chosen else ""
    return f"{measured_on(tables.metrics)}, {count} prompt{'s' * (count != 1)}{chosen}"


def measured_on(metrics: pd.DataFrame) -> str:
    """``llama3 on longbench (6 subsets)``: models and tasks of rows of metrics.parquet."""
    return f"{', '.join(metrics['model'].unique())} on {tasks(metrics)}"


def tasks(metrics: pd.DataFrame) -> str:
    """``longbench (6 subsets)``, or the names of a few: tasks of rows of metrics.parquet."""
    subsets: dict[str, list[str]] = {}
    for task in metrics["task"].dropna().unique():
        name, _, subset = str(task).partition("/")
        subsets.setdefault(name, []).extend([subset] if subset else [])
    return ", ".join(f"{name} ({_listed(each)})" if each else name for name, each in subsets.items())


def _listed(subsets: list[str]) -> str:
    return ", ".join(subsets) if len(subsets) <= NAMED_SUBSETS else f"{len(subsets)} subsets"


def absent(tables: Tables, wanted: Mapping[str, Sequence[str]]) -> str:
    """``claa at 10 %, tova at 10, 20 %``: contestants that lack a mean over prompts at a keep rate.

    Args:
        tables: of the run.
        wanted: metric -> the contestants that should have it.
    """
    lacking: dict[str, set[float]] = {name: set() for name in contestants(tables)}
    for metric, named in wanted.items():
        for name, found in over_all(tables, metric).loc[list(named)].T.items():
            lacking[str(name)] |= set(found.index[found.isna()])
    said = {name: f" at {', '.join(f'{keep:g}' for keep in sorted(gaps))} %" for name, gaps in lacking.items() if gaps}
    return ", ".join(name if name == FULL else name + rates for name, rates in said.items())


def lengths(samples: pd.DataFrame) -> "pd.Series[int]":
    """Tokens of every prompt, ascending; index sample ids."""
    return samples.dropna(subset=["tokens"]).set_index("id")["tokens"].astype("int64").sort_values(kind="stable")
