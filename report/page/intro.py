"""What report.html says on top: what its numbers measure."""

from collections.abc import Mapping
from typing import Any

from tokenrank.records.measures import LABELS
from tokenrank.records.tables import Tables
from tokenrank.report.rows.contestant_rows import ACCURACY, FIDELITY, RANKING
from tokenrank.report.rows.loading import shown_truth, truths_of
from tokenrank.report.rows.protection import protected
from tokenrank.report.rows.ranking_rows import label
from tokenrank.report.rows.universe import universe
from tokenrank.report.sentences.sentences import declared_measure

ATTENTION = (
    "A token's importance is the attention that the answer pays back to it, known once there is an answer: "
    "the oracle's ranking, on this page the truth. Methods rank the tokens before."
)
OTHER = "A token's importance is what the run's oracle gives it, on this page the truth; methods rank the tokens without it."
SHOWN = "Of the run's truths ({truths}) this page is against {shown}; with plots.truth it is against another one."
RECALL = "{name} is the share of the {k} % most important tokens that a method also has among its best {k} %; k is in percent."
ELSE = "{name} says how well a method's ranking of the tokens agrees with the truth, at each layer; k is in percent."
KEPT = "An engine keeps a share of the prompt's tokens, the keep rate, and drops the others. The measure that was declared: {name}."


def intro(tables: Tables, config: Mapping[str, Any], of: str | None) -> list[str]:
    """What the measure is, what was ranked and what always stayed, a sentence each; none where nothing was measured or the evaluation is somebody's own.

    Args:
        tables: of the run.
        config: content of its config.yaml.
        of: which evaluation, as ``kind`` says.
    """
    if tables.metrics.empty or of not in (RANKING, ACCURACY, FIDELITY):
        return []
    metric, k = declared_measure(tables, config)
    named = label(tables.metrics, metric, k)
    measured = {"recall": RECALL}.get(metric, ELSE) if of == RANKING else KEPT
    return [
        *_truth(config),
        measured.format(name=named if of == RANKING else LABELS.get(metric, metric), k=f"{k:g}"),
        *(f"{line}." for line in universe(tables.samples)),
        *(f"Protected, {line}." for line in protected(tables.runs)),
    ]


def _truth(config: Mapping[str, Any]) -> list[str]:
    """What the truth of the page is, and which one of several."""
    oracles, shown = config.get("oracle") or {}, shown_truth(config)
    node = oracles.get(shown) if isinstance(oracles, Mapping) else None
    target = str(node.get("_target_")) if isinstance(node, Mapping) else ""
    names = truths_of(config)
    which = [SHOWN.format(truths=", ".join(names), shown=shown)] if len(names) > 1 else []
    return [ATTENTION if not target or target.endswith("AttentionOracle") else OTHER, *which]
