"""Reads a prompt that nobody answers, and computes the scores of heuristics that need no answer."""

from collections.abc import Mapping

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tokenrank.capture.inspection import model_layers
from tokenrank.capture.needs import Needs
from tokenrank.capture.reading import read
from tokenrank.capture.shared_prefill import SharedPrefill
from tokenrank.evaluation.scoring import LayerScores, check_finite
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.tasks.task import Prompt

NOT_FED = (0,)  # in place of an answer: its only token is predicted and never fed


def scores_of(
    model: PreTrainedModel, prompt: Prompt, heuristics: Mapping[str, Heuristic], shared: SharedPrefill | None = None
) -> tuple[dict[str, Tensor], float]:
    """Scores of every heuristic from one reading.

    Args:
        model: a decoder of transformers.
        prompt: its tokens.
        heuristics: by name; there may be none.
        shared: takes what the reading leaves for others.

    Returns:
        (layers, tokens) float32 of each, on the CPU; and the seconds of the reading.

    Raises:
        ValueError: a heuristic ranks after an answer, or scores have the wrong shape or are not finite.
    """
    needs = Needs.together(each.needs for each in heuristics.values())
    if needs.answer:
        names = ", ".join(name for name, each in heuristics.items() if each.needs.answer)
        raise ValueError(f"{names} must have an answer to rank, and prompt {prompt.id} is read without one")
    layerwise, layers = LayerScores(heuristics), model_layers(model).attention
    ids = torch.tensor(prompt.input_ids)
    reading = read(model, ids, layerwise.visit, max_new_tokens=1, answer_ids=NOT_FED, needs=needs, shared=shared)
    scores = {name: layerwise.scores(name, ()) for name in heuristics}
    for name, rows in scores.items():
        check_finite(rows, f"heuristic {name}", layers, prompt.id)
    return scores, reading.prefill_seconds
