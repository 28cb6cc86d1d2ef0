"""Ranks a prompt and measures its rankings with what the store has; what is computed is put there."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tokenrank.capture.needs import Needs
from tokenrank.capture.reading import ahead_limit
from tokenrank.capture.shared_prefill import SharedPrefill
from tokenrank.evaluation.evaluation import Row
from tokenrank.evaluation.measuring import Asked, Hidden, MetricFailures
from tokenrank.evaluation.part_keys import Fields
from tokenrank.evaluation.rows_by_truth import rows_by_truth
from tokenrank.evaluation.scores_alone import scores_of
from tokenrank.evaluation.scoring import Known, Ranked, rank
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.metrics.ranked_tokens import Ranking
from tokenrank.oracle.oracle import Answer, Truth
from tokenrank.records.schema import truth_name
from tokenrank.records.store import ANSWERS, RANKINGS, TRUTHS, VALUES
from tokenrank.tasks.task import Prompt

if TYPE_CHECKING:
    from tokenrank.evaluation.plan import Plan

NO_K, NO_LAYER = float("nan"), -1  # in the entries of values


def stored_rank(
    plan: "Plan",
    model: PreTrainedModel,
    prompt: Prompt,
    heuristics: Mapping[str, Heuristic],
    shared: SharedPrefill | None = None,
    *,
    lack: Callable[[Answer, bool], bool] | None = None,
) -> Ranked:
    """``rank`` of one of the plan's prompts: the model reads it only if the store lacks something, or for ``shared``.

    Args:
        plan: says which store.
        model: loaded.
        prompt: of the plan.
        heuristics: some of the plan's, by name; there may be none.
        shared: as for ``rank``.
        lack: whether passes over an answer are needed, given the answer and whether the prompt is read without them; those over an
            answer that is not known yet are kept. None: there are none.

    Raises:
        ValueError: as ``rank``.
        StoreUnwritable: the store cannot be written.
    """
    needs = Needs.together(each.needs for each in heuristics.values())
    given = plan.given_answer(prompt)
    limit = ahead_limit(prompt.max_new_tokens, needs)
    found = None if given else plan.store.get(ANSWERS, plan.parts.answer(prompt, limit))
    ahead_ids = None if found is None else tuple(found["token_ids"].tolist())
    known = _known(plan, prompt, heuristics, given, ahead_ids) if given or ahead_ids else Known()
    answer = given or (None if ahead_ids is None else _generated(prompt, ahead_ids))
    reads = shared is not None or bool(heuristics.keys() - known.scores or plan.oracles.keys() - known.truths)
    passes = lack is not None and (answer is None or lack(answer, reads))
    ranked = rank(model, prompt, heuristics, plan.oracles, given, known, shared, plan.tokenizer, passes=passes)
    if given is None and ahead_ids is None:
        plan.store.put(ANSWERS, plan.parts.answer(prompt, limit), {"token_ids": torch.tensor(ranked.ahead_ids)})
    for name in plan.oracles.keys() - known.truths.keys():
        fields = plan.parts.truth(name, prompt, ranked.answer)
        plan.store.put(TRUTHS, fields, {"importance": ranked.truths[name].importance})
    if plan.store_rankings:
        for name in heuristics.keys() - known.scores.keys():
            plan.store.put(
                RANKINGS, ranking_fields(plan, prompt, name, ranked.ahead_ids), {"scores": ranked.scores[name]}
            )
    return ranked


def stored_scores(
    plan: "Plan", model: PreTrainedModel, prompt: Prompt, heuristics: Mapping[str, Heuristic]
) -> tuple[dict[str, Tensor], float]:
    """Rankings of a prompt that nobody answers, of the store where it has them; the model reads the prompt for the others.

    Args:
        plan: says which store.
        model: loaded.
        prompt: to be ranked, such as what stands before the question of one of the plan's.
        heuristics: some of the plan's, by name; none that ranks after an answer.

    Returns:
        (layers, tokens) of each, and the seconds of the reading.

    Raises:
        ValueError: as ``scores_of``.
        StoreUnwritable: the store cannot be written.
    """
    found = {name: plan.store.get(RANKINGS, ranking_fields(plan, prompt, name, ())) for name in heuristics}
    known = {name: entry["scores"] for name, entry in found.items() if entry is not None}
    missing = {name: each for name, each in heuristics.items() if name not in known}
    if not missing:
        return known, 0.0
    scores, seconds = scores_of(model, prompt, missing)
    if plan.store_rankings:
        for name, rows in scores.items():
            plan.store.put(RANKINGS, ranking_fields(plan, prompt, name, ()), {"scores": rows})
    return {name: (known | scores)[name] for name in heuristics}, seconds


def _known(
    plan: "Plan",
    prompt: Prompt,
    heuristics: Mapping[str, Heuristic],
    given: Answer | None,
    ahead_ids: tuple[int, ...] | None,
) -> Known:
    """What the store has of a prompt whose answer is known."""
    followed = given.token_ids if given else ahead_ids or ()
    answer = given or _generated(prompt, followed)
    truths = {name: plan.store.get(TRUTHS, plan.parts.truth(name, prompt, answer)) for name in plan.oracles}
    scores = {name: plan.store.get(RANKINGS, ranking_fields(plan, prompt, name, followed)) for name in heuristics}
    return Known(
        ahead_ids,
        {name: Truth(found["importance"]) for name, found in truths.items() if found is not None},
        {name: found["scores"] for name, found in scores.items() if found is not None},
    )


def _generated(prompt: Prompt, ahead_ids: tuple[int, ...]) -> Answer:
    return Answer(ahead_ids[: prompt.max_new_tokens], "generated")


def ranking_fields(plan: "Plan", prompt: Prompt, name: str, ahead_ids: Sequence[int]) -> Fields:
    """What decides a heuristic's scores; the answer only for one that ranks after an answer."""
    reads_answer = plan.heuristics[name].needs.answer
    return plan.parts.ranking(name, prompt, ahead_ids if reads_answer else None)


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
