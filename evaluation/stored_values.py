"""Measures a prompt's rankings with what the store has; the values that are computed are put there."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tokenrank.evaluation.evaluation import Row
from tokenrank.evaluation.measuring import Asked, Hidden, MetricFailures
from tokenrank.evaluation.part_keys import Fields
from tokenrank.evaluation.rows_by_truth import rows_by_truth
from tokenrank.evaluation.scoring import Ranked
from tokenrank.evaluation.stored import ranking_fields
from tokenrank.metrics.ranked_tokens import Ranking
from tokenrank.records.schema import truth_name
from tokenrank.records.store import VALUES
from tokenrank.tasks.task import Prompt

if TYPE_CHECKING:
    from tokenrank.evaluation.plan import Plan

NO_K, NO_LAYER = float("nan"), -1  # in the entries of values


def stored_rows(
    plan: "Plan",
    prompt: Prompt,
    ranked: Ranked,
    percents: Sequence[float],
    universe: range,
    failures: MetricFailures,
    hidden: Hidden | None = None,
    part: Prompt | None = None,
) -> list[Row]:
    """``measured_rows`` of one of the plan's prompts; a ranking whose values are stored is not measured again.

    Args:
        plan: says which store and which metrics.
        prompt: of the plan.
        ranked: the prompt's scores, in the order of the rows.
        percents: of the universe, for the metrics that take a k.
        universe: positions of the prompt's tokens that are ranked.
        failures: takes what a metric raises; then nothing of that ranking is stored.
        hidden: as for ``Asked.against_each``.
        part: that heuristics have ranked, the first tokens of the prompt; None: all of it.
    """
    signed = [name for name in ranked.truths if name not in plan.oracles or plan.oracles[name].signed]
    heuristics = {
        name: ranking_fields(plan, part or prompt, name, ranked.ahead_ids)
        for name in ranked.scores
        if name in plan.heuristics
    }
    truths = {
        name: plan.parts.truth(name, prompt, ranked.answer) if name in plan.oracles else heuristics[name]
        for name in ranked.truths
    }
    first = next(iter(truths))
    rankings = {truth_name(name, first): fields for name, fields in truths.items()} | heuristics

    def measure(asked: Asked, name: str, ranking: Ranking) -> list[Row]:
        names = sorted(asked.metrics)  # by which entries number the metrics: the order decides no key
        fields = plan.parts.values(rankings[name], truths[asked.truth], prompt, percents, universe, names)
        fields |= {"hidden": asked.decided} if asked.decided else {}
        return _rows_of_ranking(plan, fields, asked, name, ranking, failures)

    each = list(Asked.against_each(ranked, prompt, plan.metrics, percents, universe, signed, hidden))
    return rows_by_truth(each, ranked, universe, plan.layers.windowed, measure, failures)


def _rows_of_ranking(
    plan: "Plan", fields: Fields, asked: Asked, name: str, ranking: Ranking, failures: MetricFailures
) -> list[Row]:
    """The values of one ranking: from the store, under these fields, or measured and stored unless a metric fails."""
    order = list(asked.metrics)
    names = sorted(order)
    found = plan.store.get(VALUES, fields)
    if found is not None:
        own = sorted(as_rows(found, names), key=lambda row: order.index(row["metric"]))
        return [{"metric": row["metric"], "truth": asked.truth_of(row["metric"])} | row for row in own]
    failed = MetricFailures()
    own = asked.of_ranking(name, ranking, failed)
    failures.take(failed)
    if not failed.whose:
        plan.store.put(VALUES, fields, as_columns(own, names))
    return own


def as_columns(rows: Iterable[Row], metrics: Sequence[str]) -> dict[str, Tensor]:
    """Rows of one ranking as tensors, each (rows,); a metric is its number among ``metrics``."""
    found = list(rows)
    return {
        "metric": torch.tensor([metrics.index(row["metric"]) for row in found], dtype=torch.int64),
        "k": torch.tensor([NO_K if row["k"] is None else row["k"] for row in found], dtype=torch.float64),
        "layer": torch.tensor([row["layer"] for row in found], dtype=torch.int64),
        "other_layer": torch.tensor([row.get("other_layer", NO_LAYER) for row in found], dtype=torch.int64),
        "value": torch.tensor([row["value"] for row in found], dtype=torch.float64),
    }


def as_rows(columns: Mapping[str, Tensor], metrics: Sequence[str]) -> list[Row]:
    """The rows again."""
    numbers = zip(*(columns[name].tolist() for name in ("metric", "k", "layer", "other_layer", "value")), strict=True)
    rows = []
    for metric, k, layer, other, value in numbers:
        row: Row = {"metric": metrics[metric], "k": None if k != k else k, "layer": layer, "value": value}
        rows.append(row if other == NO_LAYER else row | {"other_layer": other})
    return rows
