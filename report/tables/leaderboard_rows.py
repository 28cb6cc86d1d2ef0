"""Which methods of which runs stand in a leaderboard: the protocol, the runs that deviate from it, and the numbers of each method."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tokenrank.records.measures import COSTS, better
from tokenrank.report.rows.contestant_rows import ACCURACY, GAP_CLOSED, RANKING, keep_rates
from tokenrank.report.rows.loaded_run import LoadedRun
from tokenrank.report.tables.result_captions import named
from tokenrank.report.tables.result_rows import CHANCE, IN_PRINT, METHOD, is_end, result_rows
from tokenrank.report.tables.table_runs import check_kind, deviation
from tokenrank.report.tables.telling_apart import method_settings, model_settings, told_apart


@dataclass(frozen=True)
class Protocol:
    """What all rows have in common."""

    first: LoadedRun  # whose settings the others are held against
    metric: str
    k: float | None  # percent; None: the metric has none
    keep: float | None  # percent; None: of evaluation=ranking

    @property
    def label(self) -> str:
        """``recall@10`` or ``loss at keep rate 20 %``."""
        return named(self.metric, self.k) + ("" if self.keep is None else f" at keep rate {self.keep:g} %")


@dataclass(frozen=True)
class Column:
    """Which number of a method a column shows, with its interval."""

    heading: str
    metric: str
    statistic: str = "mean"
    digits: int = 3
    lower: bool = False  # the smallest is the best


@dataclass(frozen=True)
class Entry:
    """A method of a run."""

    method: str
    model: str
    task: str
    prompts: int
    role: str
    engine: Any  # as tables name it; missing of evaluation=ranking
    run: LoadedRun
    numbers: Mapping[Column, Mapping[Any, Any]]  # rows of ``result_rows``

    @property
    def key(self) -> tuple[object, ...]:
        """What a row of the page is for: a method with its settings on a model with its weights and the same tasks and lengths."""
        of = method_settings(self.run, self.method, self.engine), model_settings(self.run)
        return self.method, self.model, self.task, set(self.run.tables.samples["task"].astype(str)), *of


def protocol_of(run: LoadedRun, metric: str, k: float | None, keep: float | None) -> Protocol:
    """The protocol that a run fixes.

    Args:
        run: the first one.
        metric: that its rows are ranked by.
        k: percent; of metrics that have a k.
        keep: percent; None: of contestants the middle one of its keep rates.

    Raises:
        ValueError: its evaluation has no leaderboard, or it lacks the metric, the k or the keep rate.
    """
    check_kind(run)
    rates = [] if run.kind == RANKING else keep_rates(run.tables)
    rate = keep if keep is not None or not rates else rates[len(rates) // 2]
    rows = result_rows(run)
    has_k = bool(rows.loc[rows["metric"] == metric, "k"].notna().any())
    protocol = Protocol(run, metric, k if has_k else None, rate)
    lacking = lacks(run, protocol)
    if lacking:
        raise ValueError(f"{run.name} {lacking}")
    return protocol


def lacks(run: LoadedRun, protocol: Protocol) -> str:
    """What a run lacks of the protocol or does otherwise; empty: nothing."""
    try:
        check_kind(run)
    except ValueError as error:
        return str(error).removeprefix(f"{run.name} ")
    rows = result_rows(run)
    rows = rows[(rows["metric"] == protocol.metric) & (rows["role"] == METHOD)]
    if run.kind == protocol.first.kind and rows.empty:
        return f"has no {protocol.metric}"
    beside = [each.metric for each in columns_of(protocol)[1:] if _have(each.metric, protocol.first, run)]
    found = deviation(protocol.first, run, list(dict.fromkeys([protocol.metric, *beside])))
    if found:
        return f"deviates from the protocol: {found}"
    for name, wanted in (("k", protocol.k), ("keep", protocol.keep)):
        if wanted is not None and not (rows[name] == wanted).fillna(value=False).any():
            return f"has no {protocol.metric} at {name}={wanted:g}"
    return ""


def _have(metric: str, *runs: LoadedRun) -> bool:
    """Whether all of the runs have values of a metric."""
    return all(metric in set(run.tables.summary["metric"]) for run in runs)


def columns_of(protocol: Protocol) -> list[Column]:
    """The numbers that are shown of each method."""
    metric, lower = protocol.metric, not better(protocol.metric, 1.0)
    label = named(metric, protocol.k)
    if protocol.first.kind == RANKING:
        beside = [Column("spearman", "spearman")] if metric != "spearman" else []
        own = [
            Column(label, metric),
            Column("worst layer", metric, "worst"),
            Column("std over layers", metric, "std", lower=True),
        ]
        return [*own, *beside]
    other = ACCURACY if metric != ACCURACY else "loss"
    costs = [Column(name, each, lower=True) for name, each in zip(("FLOPs", "KV"), COSTS.values(), strict=True)]
    return [
        Column(label, metric, lower=lower),
        Column("gap closed", metric, GAP_CLOSED, 2),
        Column(other, other, lower=not better(other, 1.0)),
        *costs,
    ]


def entries_of(run: LoadedRun, protocol: Protocol) -> list[Entry]:
    """The methods of a run, with the numbers of the protocol."""
    rows = result_rows(run)
    rows = rows[~rows["role"].isin([IN_PRINT, CHANCE]) & ~is_end(rows)]
    if protocol.keep is not None:
        rows = rows[(rows["keep"] == protocol.keep) | (rows["engine"] == "full")]
    if protocol.k is not None:
        rows = rows[rows["k"].isna() | (rows["k"] == protocol.k)]
    lengths = run.tables.samples["tokens"].dropna().astype(int)
    span = "" if lengths.empty else f", {_tokens(int(lengths.min()), int(lengths.max()))}"
    span += f", {run.tables.chosen}" if run.tables.chosen else ""  # of other prompts: no row of the same task
    columns = columns_of(protocol)
    found = []
    for method, own in rows.groupby("method", sort=False):
        numbers = {(row["metric"], row["statistic"]): row for row in own.to_dict("records")}
        shown = {
            each: numbers[each.metric, each.statistic] for each in columns if (each.metric, each.statistic) in numbers
        }
        if columns[0] in shown:
            first = shown[columns[0]]
            found.append(
                Entry(
                    str(method),
                    first["model"],
                    first["task"] + span,
                    int(first["prompts"]),
                    first["role"],
                    first["engine"],
                    run,
                    shown,
                )
            )
    return found


def _tokens(least: int, most: int) -> str:
    return f"{least:,} tokens" if least == most else f"{least:,} to {most:,} tokens"


def best_of(entries: Sequence[Entry]) -> tuple[list[Entry], list[str]]:
    """Of each key the entry with the most prompts (the first of several), and a sentence for each other one.

    Methods and models that share a name get one that says in which settings they differ.
    """
    groups: list[tuple[tuple[object, ...], list[Entry]]] = []  # keys hold settings, which have no hash
    for entry in entries:
        key = entry.key
        own = next((group for known, group in groups if known == key), None)
        if own is None:
            groups.append((key, [entry]))
        else:
            own.append(entry)
    chosen = [max(group, key=lambda each: each.prompts) for _, group in groups]
    said = [
        f"{entry.method} of {entry.run.name} ({entry.prompts} prompts): {best.run.name} has it with the same settings on the same model and "
        f"task with {best.prompts}"
        for best, (_, group) in zip(chosen, groups, strict=True)
        for entry in group
        if entry is not best
    ]
    methods = told_apart([(each.method, method_settings(each.run, each.method, each.engine)) for each in chosen])
    models = told_apart([(each.model, model_settings(each.run)) for each in chosen])
    named = zip(chosen, methods, models, strict=True)
    return [replace(each, method=method, model=model) for each, method, model in named], said
