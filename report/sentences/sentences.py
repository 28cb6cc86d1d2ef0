"""The results of a run in sentences, as the results section of a paper gives them; every number is one of the tables."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tokenrank.records.measures import LABELS, declared_k
from tokenrank.records.tables import Tables
from tokenrank.report.rows.compared_pairs import family_of
from tokenrank.report.rows.contestant_rows import ACCURACY, FIDELITY, RANKING, TTFT, keep_rates, kind, origin
from tokenrank.report.rows.loading import own_report
from tokenrank.report.rows.ranking_rows import label, ranked_metrics
from tokenrank.report.sentences.differences import compared_sentence, difference_sentences
from tokenrank.report.sentences.gap_sentences import MEANT, bound_sentence, cost_sentence, result_sentences
from tokenrank.report.sentences.layer_sentences import exploratory_worst, level_sentences, worst_layer_sentences
from tokenrank.report.sentences.parts import Part

NEEDLE = "needle_recall"


def parts(tables: Tables, config: Mapping[str, Any]) -> list[Part]:
    """Levels or results, what the declared comparison establishes and what so few prompts could not show, worst layers or bounds and costs.

    What was not declared is called exploratory.

    Args:
        tables: of the run.
        config: content of its config.yaml.

    Returns:
        Each with one sentence at least.
    """
    if tables.metrics.empty:
        return [Part("Results", ["No prompt could be measured."])]
    of = None if own_report(config) is not None else kind(tables)
    metric, k = declared_measure(tables, config)
    compared = [*difference_sentences(tables), *compared_sentence(tables)] or _nothing_compared(of)
    if of == RANKING and metric in ranked_metrics(tables):
        found = _of_ranking(tables, metric, k, compared)
    elif of in (ACCURACY, FIDELITY):
        found = _of_contestants(tables, metric, compared)
    else:
        found = [Part("Differences", compared), *([_of_times(tables)] if of == TTFT else [])]
    return [part for part in found if part.sentences]


def declared_measure(tables: Tables, config: Mapping[str, Any]) -> tuple[str, float]:
    """Metric and k, in percent, of the declared comparison, whatever truth is shown; where nothing was compared, those that the settings declare.

    Args:
        tables: of the run.
        config: content of its config.yaml.
    """
    rows = family_of(tables)
    compare = (config.get("evaluation") or {}).get("compare") or {}
    k = declared_k(compare.get("k"), config.get("k") or ())
    if len(rows):
        first = rows.iloc[0]
        return str(first["metric"]), k if pd.isna(first["k"]) else float(first["k"])
    ranked = ranked_metrics(tables)
    usual = {ACCURACY: "accuracy", FIDELITY: "loss"}.get(kind(tables) or "", ranked[0] if ranked else "recall")
    return str(compare.get("metric") or usual), k


def prompts_sentence(tables: Tables) -> str:
    """The model, the task, and how many prompts the means are over; of a run with values."""
    counted = int(tables.summary["prompts"].max()) if tables.summary["prompts"].notna().any() else 0
    total = len(tables.samples)
    fewer = "" if counted in (0, total) else f" (of {total}; means are over those that have every number)"
    return f"Measured: {origin(tables)}{fewer}."


def _nothing_compared(of: str | None) -> list[str]:
    if of not in (RANKING, ACCURACY, FIDELITY):
        return []
    return ["No two methods were compared: that takes two of them, and two prompts that both have."]


def _of_ranking(tables: Tables, metric: str, k: float, compared: list[str]) -> list[Part]:
    named = label(tables.metrics, metric, k)
    fall, place = worst_layer_sentences(tables, metric, k)
    exploratory = exploratory_worst(tables.summary, metric, k)
    found = [
        Part(f"Means of {named}", level_sentences(tables, metric, k)),
        Part("Differences", compared),
        Part("Worst layers", [*fall, *filter(None, [exploratory])], place),
    ]
    if NEEDLE in ranked_metrics(tables) and metric != NEEDLE:
        fall, place = worst_layer_sentences(tables, NEEDLE, k)
        found.append(Part("Needles", [*level_sentences(tables, NEEDLE, k), *fall], place))
    return found


def _of_contestants(tables: Tables, metric: str, compared: list[str]) -> list[Part]:
    measured = set(tables.metrics["metric"])
    measures = [each for each in dict.fromkeys((metric, "accuracy", "loss")) if each in measured]
    declared = f"Declared measure: {metric}, {LABELS[metric]}." if LABELS.get(metric, metric) != metric else ""
    results = [sentence for each in measures for sentence in result_sentences(tables, each)]
    meant = MEANT if any("gap closed" in each for each in results) else ""
    ends = [bound_sentence(tables, measures), cost_sentence(tables)]
    return [
        Part("Differences", list(filter(None, [declared, *compared]))),
        Part("Results at each keep rate", list(filter(None, [meant, *results]))),
        Part("Oracles and costs", list(filter(None, ends))),
    ]


def _of_times(tables: Tables) -> Part:
    rates = ", ".join(f"{keep:g}" for keep in keep_rates(tables))
    said = f"Times are medians of the repeats of each prompt, at keep rates {rates} %; evaluation=ttft compares them by no test."
    return Part("Times", [said])
