"""Ranks a prompt with what the store has; what is computed is put there."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tokenrank.capture.needs import Needs
from tokenrank.capture.reading import ahead_limit
from tokenrank.capture.shared_prefill import SharedPrefill
from tokenrank.evaluation.part_keys import Fields
from tokenrank.evaluation.scores_alone import scores_of
from tokenrank.evaluation.scoring import Known, Ranked, rank
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.oracle.oracle import Answer, Truth
from tokenrank.records.store import ANSWERS, RANKINGS, TRUTHS
from tokenrank.tasks.task import Prompt

if TYPE_CHECKING:
    from tokenrank.evaluation.plan import Plan


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
