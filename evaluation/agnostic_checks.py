"""What cannot be ranked or pruned before the question is read, said before a run (prompts=agnostic)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from transformers import PreTrainedModel

from tokenrank.capture.rope_lengths import in_passes
from tokenrank.heuristics.heuristic import check_tokens
from tokenrank.prefill.draft import Draft
from tokenrank.tasks.before_question import AGNOSTIC, AWARE, after_context, before_question, ranked_part
from tokenrank.tasks.task import Prompt

if TYPE_CHECKING:
    from tokenrank.evaluation.plan import Plan


def ranked_parts(plan: "Plan", prompts: str) -> list[Prompt]:
    """What rankings see of each of the plan's prompts, with ``prompts`` as the setting is.

    Raises:
        ValueError: with ``agnostic``, a prompt cannot be split, it is too short for a heuristic, or a heuristic or an engine needs more.
    """
    if prompts == AGNOSTIC:
        _check_rankers(plan)
    parts = [ranked_part(prompt, prompts) for prompt in plan.prompts]
    for part in parts if prompts == AGNOSTIC else ():
        whose = f"what is before the question of prompt {part.id} of {part.task}, which prompts={AGNOSTIC} ranks,"
        check_tokens(plan.heuristics, len(part.input_ids), whose)
    return parts


def check_lengths(model: PreTrainedModel, prompts: Sequence[Prompt]) -> None:
    """Checks that what is before a question is read in the same way with and without what follows; the model needs no weights.

    Raises:
        ValueError: rotary frequencies depend on the length, and are others for a whole prompt.
    """
    for prompt in prompts:
        first, rest = len(before_question(prompt).input_ids), len(after_context(prompt))
        if len(list(in_passes(model, torch.zeros(rest + 1), first - 1))) > 1:  # from the last token before the rest on
            raise ValueError(
                f"prompts={AGNOSTIC} reads {first} of the {first + rest} tokens of prompt {prompt.id} of {prompt.task} alone, and "
                f"{type(model).__name__} has other rotary factors for so many than for all: set prompts={AWARE}, or leave the prompt out"
            )


def _check_rankers(plan: "Plan") -> None:
    for name, each in plan.heuristics.items():
        if each.needs.answer:
            raise ValueError(
                f"prompts={AGNOSTIC} ranks before the question is read, and heuristic.{name} ranks after an answer to it: leave it out, or "
                f"set prompts={AWARE}"
            )
    for contestant in plan.contestants:
        if isinstance(contestant.engine, Draft):
            raise ValueError(
                f"prompts={AGNOSTIC} prunes before the question is read, and the draft engine of {contestant.name} ranks with a draft "
                f"answer to it: choose another engine, or set prompts={AWARE}"
            )
