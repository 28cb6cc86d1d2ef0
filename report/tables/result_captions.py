"""Captions of tables of results: what was measured, on what, with which test, and what bold and the dagger mean."""

from collections.abc import Sequence

import pandas as pd

from tokenrank.records.measures import LABELS, LOWER_IS_BETTER
from tokenrank.report.rows.compared_pairs import family_of, is_exploratory, undeclared
from tokenrank.report.rows.comparisons import LEVEL, least_p
from tokenrank.report.rows.contestant_rows import RANKING
from tokenrank.report.rows.loaded_run import LoadedRun
from tokenrank.report.rows.phrases import count
from tokenrank.report.rows.protection import protected
from tokenrank.report.rows.published import MODEL
from tokenrank.report.rows.ranking_rows import against as against_truth
from tokenrank.report.rows.universe import universe
from tokenrank.report.tables.result_rows import BASELINES, CONTROL, IN_PRINT, compared_with, measured

TEST = "sign-flip test of the mean difference over prompts"


def caption(
    runs: Sequence[LoadedRun], rows: Sequence[pd.DataFrame], metric: str, k: float | None, against: str | None
) -> str:
    """The caption of a table of one metric.

    Args:
        runs: whose results it shows.
        rows: of each run, those of ``result_rows`` that are shown.
        metric: its name.
        k: percent; None: the metric has none.
        against: the method that daggers compare with, if one was asked for.
    """
    said = [_what(runs, rows, metric, k), _marks(rows)]
    said += _tests(runs, metric, k, against)
    said += [f"{run.name if len(runs) > 1 else 'Unfinished'}: {run.unfinished}." for run in runs if run.unfinished]
    if any((each["role"] == IN_PRINT).any() for each in rows):
        said.append(
            f"Rows marked published: {MODEL}, average over all subsets of LongBench (arXiv:2602.16054), another model, other prompts "
            "and another average, not to be compared with ours number by number."
        )
    return " ".join(said)


def named(metric: str, k: float | None) -> str:
    """``recall@10`` or ``spearman``."""
    return metric if k is None else f"{metric}@{k:g}"


def _what(runs: Sequence[LoadedRun], rows: Sequence[pd.DataFrame], metric: str, k: float | None) -> str:
    where = "; ".join(dict.fromkeys(measured(run, each) for run, each in zip(runs, rows, strict=True)))
    if runs[0].kind == RANKING:
        of_tokens = "" if k is None else f" (k = {k:g} % of the ranked tokens)"
        ranked = "".join(f" {line}." for line in universe(runs[0].tables.samples))
        return (
            f"{named(metric, k)}{of_tokens}{against_truth(runs[0].tables, metric)}, {where}. Mean, worst layer and standard deviation are taken over the layers of each prompt and "
            "averaged over prompts, with 95 % intervals over prompts."
            + (" Layers with a sliding window are left out." if any(map(_has_windowed, runs)) else "")
            + ranked
        )
    lower = "; lower is better" if metric in LOWER_IS_BETTER else ""
    meant = LABELS.get(metric, metric)
    measure = metric if meant == metric else f"{metric} ({meant}{lower})"
    kept = "".join(f" Protected, {line}." for line in protected(runs[0].tables.runs))
    return (
        f"{measure[0].upper()}{measure[1:]}, {where}. Means over prompts with 95 % intervals; gap closed: from the random control (0) to the oracle "
        f"(1) of the same engine.{kept}"
    )


def _has_windowed(run: LoadedRun) -> bool:
    """Whether statistics over layers have a second set, over windowed layers, which tables do not show."""
    return bool(run.tables.summary["windowed"].fillna(value=False).any())


def _marks(rows: Sequence[pd.DataFrame]) -> str:
    controls = {str(name) for each in rows for name in each.loc[each["role"] == CONTROL, "method"]}
    beside = [name for name in BASELINES if name in controls]
    return f"Bold: the best of the methods ({', '.join(['full prefill, oracle', 'random', *beside])} do not count)."


def _tests(runs: Sequence[LoadedRun], metric: str, k: float | None, against: str | None) -> list[str]:
    """Whether daggers may stand, once if that is the same for all runs."""
    found = [_test(run, metric, k, against, "") for run in runs]
    if len(set(found)) == 1:
        return found[:1]
    return [_test(run, metric, k, against, f" in {run.name}") for run in runs]


def _test(run: LoadedRun, metric: str, k: float | None, against: str | None, whose: str) -> str:
    """Whether daggers may stand in this run's cells, and by which test."""
    family = family_of(run.tables)
    if is_exploratory(family):
        return f"No dagger{whose}: the comparison {undeclared(run.tables)} is exploratory."
    if family.empty:
        return f"No dagger{whose}: no two methods were compared."
    own = family[(family["metric"] == metric) & (family["k"].isna() if k is None else family["k"] == k)]
    if own.empty:
        first = family.iloc[0]
        other = named(str(first["metric"]), None if pd.isna(first["k"]) else float(first["k"]))
        return f"No dagger{whose}: the declared comparison is of {other}, so differences here are exploratory."
    size = int(own.groupby("keep", dropna=False).size().max())
    few = int(own["prompts"].max())
    if least_p(few) > LEVEL:
        return f"No dagger{whose}: with {count(few, 'prompt')} no difference can be significant ({TEST})."
    reference = compared_with(run, against)
    than = "every other compared method" if reference is None else reference
    by_rate = bool(own["keep"].notna().any())
    at, of = (" at the same keep rate", " of that keep rate") if by_rate else (", mean over layers", "")
    return (
        f"Dagger{whose}: better than {than}{at} ({TEST}, p at most {LEVEL:g}, adjusted for the "
        f"{count(size, 'declared pair')}{of})."
    )
