"""What report.html says on top: what its numbers measure."""

from collections.abc import Mapping
from typing import Any

from tokenrank.records.measures import LABELS
from tokenrank.records.tables import Tables
from tokenrank.report.rows.contestant_rows import ACCURACY, FIDELITY, RANKING
from tokenrank.report.rows.loading import shown_truth, truths_of
from tokenrank.report.rows.protection import protected
from tokenrank.report.rows.ranking_rows import label, ranked_metrics
from tokenrank.report.rows.universe import universe
from tokenrank.report.sentences.sentences import declared_measure

ATTENTION = (
    "A token's importance is the attention that it receives from the tokens of the answer. "
    "It is known only after the answer; the ranking by it is the oracle, the ground truth of this page."
)
OTHER = "A token's importance is what the run's oracle gives it; the ranking by it is the ground truth of this page."
SHOWN = "Of the run's truths ({truths}) this page is against {shown}; with plots.truth it is against another one."
RECALL = "{name} is the share of the {k} % most important tokens that a method also has among its best {k} %; k is in percent."
ELSE = "{name} says how well a method's ranking of the tokens agrees with the truth, at each layer; k is in percent."
KEPT = "An engine keeps a share of the prompt's tokens, the keep rate, and drops the others. The measure that was declared: {name}."


def intro(tables: Tables, config: Mapping[str, Any], of: str | None) -> list[str]:
    """What the measure is, what was ranked and what always stayed, a sentence each; none where nothing was measured or the evaluation is somebody's own.

    A metric without values, as jaccard of a single layer, is not explained.

    Args:
        tables: of the run.
        config: content of its config.yaml.
        of: which evaluation, as ``kind`` says.
    """
    if tables.metrics.empty or of not in (RANKING, ACCURACY, FIDELITY):
        return []
    metric, k = declared_measure(tables, config)
    return [
        *_truth(config),
        *([_of_metric(tables, metric, k)] if of == RANKING and metric in ranked_metrics(tables) else []),
        *([] if of == RANKING else [KEPT.format(name=LABELS.get(metric, metric))]),
        *(f"{line}." for line in universe(tables.samples)),
        *(f"Protected, {line}." for line in protected(tables.runs)),
    ]


def _of_metric(tables: Tables, metric: str, k: float) -> str:
    return (RECALL if metric == "recall" else ELSE).format(name=label(tables.metrics, metric, k), k=f"{k:g}")


def _truth(config: Mapping[str, Any]) -> list[str]:
    """What the truth of the page is, and which one of several."""
    oracles, shown = config.get("oracle") or {}, shown_truth(config)
    node = oracles.get(shown) if isinstance(oracles, Mapping) else None
    target = str(node.get("_target_")) if isinstance(node, Mapping) else ""
    names = truths_of(config)
    which = [SHOWN.format(truths=", ".join(names), shown=shown)] if len(names) > 1 else []
    return [ATTENTION if not target or target.endswith("AttentionOracle") else OTHER, *which]
