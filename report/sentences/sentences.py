"""The results of a run in sentences, as the results section of a paper gives them; every number is one of the tables."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tokenrank.records.measures import LABELS
from tokenrank.records.tables import Tables
from tokenrank.report.rows.contestant_rows import ACCURACY, FIDELITY, RANKING, TTFT, keep_rates, kind, origin
from tokenrank.report.rows.differences import compared_sentence, difference_sentences, family_of
from tokenrank.report.rows.loading import own_report
from tokenrank.report.rows.ranking_rows import ranked_metrics
from tokenrank.report.sentences.gap_sentences import MEANT, bound_sentence, cost_sentence, result_sentences
from tokenrank.report.sentences.layer_sentences import exploratory_worst, level_sentences, worst_layer_sentences

USUAL_K = 10.0
NEEDLE = "needle_recall"
CHOSEN = "These layers were chosen by their result, so their distance from the mean is exploratory."


def sentences(tables: Tables, config: Mapping[str, Any]) -> list[str]:
    """Prompts, what the declared comparison establishes and what not, what so few prompts could have shown; worst layers or gap closed.

    What was not declared is called exploratory.

    Args:
        tables: of the run.
        config: content of its config.yaml.

    Returns:
        One plain sentence or two an entry, without Markdown; at least one.
    """
    if tables.metrics.empty:
        return ["No prompt could be measured."]
    said = [_prompts(tables)]
    of = None if own_report(config) is not None else kind(tables)
    metric, k = declared_measure(tables, config)
    compared = [*difference_sentences(tables), *compared_sentence(tables)] or _nothing_compared(of)
    if of == RANKING:
        return said + _of_ranking(tables, metric, k, compared)
    if of in (ACCURACY, FIDELITY):
        return said + _of_contestants(tables, metric, compared)
    return said + compared + (_of_times(tables) if of == TTFT else [])


def declared_measure(tables: Tables, config: Mapping[str, Any]) -> tuple[str, float]:
    """Metric and k, in percent, of the declared comparison, whatever truth is shown; where nothing was compared, those that the settings declare.

    Args:
        tables: of the run.
        config: content of its config.yaml.
    """
    rows = family_of(tables)
    compare = (config.get("evaluation") or {}).get("compare") or {}
    shown = float(compare.get("k") or (config.get("plots") or {}).get("k") or USUAL_K)
    if len(rows):
        first = rows.iloc[0]
        return str(first["metric"]), shown if pd.isna(first["k"]) else float(first["k"])
    ranked = ranked_metrics(tables)
    usual = {ACCURACY: "accuracy", FIDELITY: "loss"}.get(kind(tables) or "", ranked[0] if ranked else "recall")
    return str(compare.get("metric") or usual), shown


def _prompts(tables: Tables) -> str:
    counted = int(tables.summary["prompts"].max()) if tables.summary["prompts"].notna().any() else 0
    total = len(tables.samples)
    fewer = "" if counted in (0, total) else f" (of {total}; means are over those that have every number)"
    return f"Measured: {origin(tables)}{fewer}."


def _nothing_compared(of: str | None) -> list[str]:
    if of not in (RANKING, ACCURACY, FIDELITY):
        return []
    return ["No two methods were compared: that takes two of them, and two prompts that both have."]


def _of_ranking(tables: Tables, metric: str, k: float, compared: list[str]) -> list[str]:
    if metric not in ranked_metrics(tables):
        return compared
    said = [*level_sentences(tables, metric, k), *compared]
    layers = worst_layer_sentences(tables, metric, k)
    if NEEDLE in ranked_metrics(tables) and metric != NEEDLE:
        layers += [*level_sentences(tables, NEEDLE, k), *worst_layer_sentences(tables, NEEDLE, k)]
    chosen = [CHOSEN] if any("deepest fall" in each for each in layers) else []
    return [*said, *dict.fromkeys(layers), *chosen, *filter(None, [exploratory_worst(tables.summary, metric, k)])]


def _of_contestants(tables: Tables, metric: str, compared: list[str]) -> list[str]:
    measured = set(tables.metrics["metric"])
    measures = [each for each in dict.fromkeys((metric, "accuracy", "loss")) if each in measured]
    said = [f"Declared measure: {metric}, {LABELS[metric]}." if LABELS.get(metric, metric) != metric else ""]
    results = [sentence for each in measures for sentence in result_sentences(tables, each)]
    said += [*compared, MEANT if any("gap closed" in each for each in results) else "", *results]
    return list(filter(None, [*said, bound_sentence(tables, measures), cost_sentence(tables)]))


def _of_times(tables: Tables) -> list[str]:
    rates = ", ".join(f"{keep:g}" for keep in keep_rates(tables))
    return [
        f"Times are medians of the repeats of each prompt, at keep rates {rates} %; evaluation=ttft compares them by no test."
    ]
