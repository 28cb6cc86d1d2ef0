"""What untouched copies of a model say: greedy answers and attention by ``generate()``; independent of capture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tokenrank.capture.deviation import with_sinks


@dataclass(frozen=True)
class Said:
    """What ``generate()`` of an untouched model gave."""

    answer: list[int]  # greedy
    prompt: list[Tensor]  # (heads, tokens, tokens) attention of the prompt's queries, for each layer that shows it
    ahead: list[Tensor]  # (heads, answer tokens, tokens and answer tokens - 1) of the queries that predicted the answer


@torch.no_grad()
def generated(plain: PreTrainedModel, ids: Tensor, answer_tokens: int) -> list[int]:
    """The greedy answer of ``generate()``."""
    return _output(plain, ids, answer_tokens).sequences[0, len(ids) :].tolist()  # type: ignore[no-any-return]


@torch.no_grad()
def said(eager: PreTrainedModel, ids: Tensor, answer_tokens: int, numbers: Sequence[int]) -> Said:
    """The greedy answer, and attention of these layers, of a model with eager attention.

    Args:
        eager: loaded with eager attention; no other shows its weights.
        ids: (tokens,) int64, the prompt.
        answer_tokens: how many.
        numbers: of the layers that were captured, in order.

    Raises:
        NoTruth: it shows no attention, or not as much of it as was captured.
    """
    output = _output(eager, ids, answer_tokens, output_attentions=True)
    steps = [_of_layers(step, eager, numbers) for step in output.attentions or ()]
    if len(steps) != answer_tokens:
        raise NoTruth("generate() shows no attention")
    tokens = len(ids) + answer_tokens - 1
    prompt = with_sinks(eager, ids, [rows[0] for rows in steps[0]])
    ahead = [
        torch.cat([_widened(step[place][0, :, -1:], len(ids) + past, tokens) for past, step in enumerate(steps)], dim=1)
        for place in range(len(numbers))
    ]
    answer = output.sequences[0, len(ids) :]
    return Said(
        answer.tolist(), prompt, with_sinks(eager, torch.cat([ids, answer[:-1]]), ahead, one_by_one=answer_tokens - 1)
    )


def _output(model: PreTrainedModel, ids: Tensor, answer_tokens: int, **settings: Any) -> Any:
    generate: Any = model.generate
    mask = torch.ones_like(ids)[None]
    limits = {"max_new_tokens": answer_tokens, "min_new_tokens": None, "do_sample": False}
    return generate(ids[None], attention_mask=mask, return_dict_in_generate=True, **limits, **settings)


def _of_layers(step: Sequence[Any], model: nn.Module, numbers: Sequence[int]) -> list[Tensor]:
    """The weights of the layers with these numbers; where fewer than all layers show any, the captured ones do."""
    total = getattr(model.config.get_text_config(decoder=True), "num_hidden_layers", None)  # type: ignore[union-attr,operator]
    rows = [step[number] for number in numbers] if len(step) == total else list(step)
    rows = [each for each in rows if each is not None]
    if len(rows) != len(numbers):
        raise NoTruth(f"eager attention has {len(rows)} layers, {len(numbers)} were captured")
    return rows


def _widened(row: Tensor, seen: int, tokens: int) -> Tensor:
    """(heads, 1, tokens), from a row over the last tokens of those seen: the cache of a windowed layer drops the others."""
    return nn.functional.pad(row, (seen - row.shape[-1], tokens - seen))


class NoTruth(Exception):
    """The model's own attention cannot be had."""
