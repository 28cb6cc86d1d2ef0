"""Feeding tokens to a model, and the greedy answer that comes of it."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import Cache


def takes_positions(model: PreTrainedModel) -> bool:
    """Whether the model can be told where its tokens stand."""
    return "position_ids" in inspect.signature(model.forward).parameters


def input_device(model: PreTrainedModel) -> torch.device:
    """Where the prompt goes in."""
    return next(model.get_input_embeddings().parameters()).device


def last_logits(model: PreTrainedModel, ids: Tensor, positions: Tensor, cache: Cache | None, **watchers: Any) -> Tensor:
    """What the model says after ``ids``.

    Args:
        model: watched (see ``capture.attention.watch``).
        ids: (tokens,) on the model's device.
        positions: (tokens,), where they stand; a model that takes none counts by its cache.
        cache: what came before, and where this goes; None keeps nothing.
        watchers: ``on_attention`` and ``mask_by``, for our attention function.

    Returns:
        (vocabulary,)
    """
    named = {"position_ids": positions[None]} if takes_positions(model) else {}
    output = model(
        input_ids=ids[None], past_key_values=cache, use_cache=cache is not None, logits_to_keep=1, **named, **watchers
    )
    logits: Tensor = output.logits[0, -1]
    return logits


def greedy(feed: Callable[[Tensor, int], int], first: int, start: int, limit: int, ends: set[int]) -> list[int]:
    """The greedy answer from its first token on, which stands at position ``start``; the last token is never fed."""
    answer = [first]
    while len(answer) < limit and answer[-1] not in ends:
        answer.append(feed(torch.tensor(answer[-1:]), start + len(answer) - 1))
    return answer


def end_tokens(model: PreTrainedModel) -> set[int]:
    """The tokens that end an answer, as ``generate()`` would have it: one, several or none."""
    ends = model.generation_config.eos_token_id if model.generation_config else model.config.eos_token_id
    return set() if ends is None else {ends} if isinstance(ends, int) else set(ends)
