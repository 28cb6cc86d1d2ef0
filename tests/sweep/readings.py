"""Reading and answer of a tiny model against untouched copies of it."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tests.sweep.truths import Said, generated, said
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.looking import look
from tokenrank.capture.reading import read

PROMPT, ANSWER = 40, 6  # tokens
TOLERANCE = 1e-4  # of an attention weight
EVEN = (
    1.2 / PROMPT
)  # no weight of a prompt's last query above this: attention is too even for the check to mean anything


def prompt(tokens: int = PROMPT) -> Tensor:
    """Random tokens; 0, 1 and 2 are left out, as they may have a meaning."""
    return torch.randint(3, 64, (tokens,), generator=torch.Generator().manual_seed(1))


def before_a_run(skeleton: PreTrainedModel, model: PreTrainedModel) -> str:
    """What planning and loading do with a model before its first prompt; returns what is wrong.

    Args:
        skeleton: without weights, on the meta device.
        model: the same model, loaded.
    """
    planned, loaded = model_layers(skeleton), model_layers(model)
    look(model, PROMPT + ANSWER)
    return "" if planned == loaded else f"the layers are {planned} without weights, {loaded} with them"


def reading_fault(model: PreTrainedModel, plain: PreTrainedModel, eager: PreTrainedModel) -> tuple[str, float]:
    """What is wrong with reading and answer, nothing if they are exact, and the largest difference of an attention weight.

    Args:
        model: to be watched.
        plain: an untouched copy.
        eager: an untouched copy with eager attention.
    """
    ids, passing = prompt(), list[AttentionLayer]()
    reading = read(model, ids, passing.append, max_new_tokens=ANSWER)
    found, wanted = reading.answer_ids.tolist(), generated(plain, ids, ANSWER)
    if found != wanted:
        return f"the answer is {found}, generate() says {wanted}", float("nan")
    truth = said(eager, ids, ANSWER, [layer.index for layer in passing])
    if truth.answer != wanted:
        return f"the answer is {wanted}, with eager attention generate() says {truth.answer}", float("nan")
    shapes = [tuple(rows.shape) for rows in truth.prompt]
    if shapes != [(layer.queries.shape[0], PROMPT, PROMPT) for layer in passing]:
        return f"eager attention has the shapes {shapes}", float("nan")
    far = difference(passing, reading.answer_layers, truth)
    if not far < TOLERANCE:
        return f"attention differs by {far:.1e}", far
    if max(float(rows[:, -1].max()) for rows in truth.prompt) < EVEN:
        return "attention is even, so the check shows nothing", far
    return "", far


@torch.inference_mode()
def difference(passing: Sequence[AttentionLayer], answer: Sequence[AttentionLayer], truth: Said) -> float:
    """Largest difference of an attention weight, of the prompt's queries and of the answer's.

    Args:
        passing: with the queries of the prompt.
        answer: with the queries that predicted the answer; their softmax is over the prompt's keys only.
        truth: of the same layers; of the answer's queries over all keys.
    """
    far = [0.0]
    for of_prompt, of_answer, rows, ahead in zip(passing, answer, truth.prompt, truth.ahead, strict=True):
        far.append(float((of_prompt.attention_block(0, PROMPT) - rows).abs().max()))
        own, others = ahead[..., :PROMPT], ahead[..., PROMPT:].sum(-1, keepdim=True)
        share = own.sum(-1, keepdim=True) if of_answer.sinks is None else 1 - others  # of the prompt
        far.append(float((of_answer.attention_block(0, ANSWER) * share - own).abs().max()))
    return max(far, key=lambda each: (each != each, each))  # NaN, if there is one
