"""Feeding tokens to a model; which tokens end an answer."""

import inspect
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import Cache

from tokenrank.capture.rope_lengths import forget_lengths


def takes_positions(model: PreTrainedModel) -> bool:
    """Whether the model's forward() accepts position_ids."""
    return "position_ids" in inspect.signature(model.forward).parameters


def check_positions(model: PreTrainedModel) -> None:
    """Raises ValueError for a model whose forward() accepts no position_ids; weights are not needed."""
    if not takes_positions(model):
        raise ValueError(
            f"{type(model).__name__}.forward() accepts no position_ids, which a run on some of a prompt's tokens needs"
        )


def check_one_prompt(input_ids: Tensor) -> None:
    """Raises ValueError unless these are the tokens of one prompt, (tokens,), at least one."""
    if input_ids.dim() != 1:
        raise ValueError(f"input_ids has the shape {tuple(input_ids.shape)}, must be (tokens,): one prompt at a time")
    if len(input_ids) == 0:
        raise ValueError("the prompt is empty, at least one token is needed")


def input_device(model: PreTrainedModel) -> torch.device:
    """Device of the input embeddings."""
    return next(model.get_input_embeddings().parameters()).device


def last_logits(model: PreTrainedModel, ids: Tensor, positions: Tensor, cache: Cache | None, **watchers: Any) -> Tensor:
    """Logits of the token after ``ids``.

    Args:
        model: watched (see ``capture.attention.watch``).
        ids: (tokens,) on the model's device.
        positions: (tokens,) int64; a model that accepts no position_ids counts on from what is cached.
        cache: holds the tokens before these and takes them up; None: there are none, and nothing is kept.
        watchers: ``on_attention`` and ``mask_by``, keywords of the registered attention function.

    Returns:
        (vocabulary,)
    """
    return last_of_rows(model, ids[None], positions[None], cache, 1, **watchers)[0, -1]


def last_of_rows(
    model: PreTrainedModel, ids: Tensor, positions: Tensor, cache: Cache | None, last: int, **watchers: Any
) -> Tensor:
    """As ``last_logits``, for several rows of tokens and after each of their last ``last`` tokens.

    Args:
        model: watched.
        ids: (rows, tokens) on the model's device.
        positions: (rows, tokens) int64.
        cache: as in ``last_logits``.
        last: how many tokens of each row, at least 1.
        watchers: keywords of the registered attention function.

    Returns:
        (rows, last, vocabulary)
    """
    forget_lengths(model)
    named = {"position_ids": positions} if takes_positions(model) else {}
    output = model(
        input_ids=ids, past_key_values=cache, use_cache=cache is not None, logits_to_keep=last, **named, **watchers
    )
    logits: Tensor = output.logits[:, -last:]
    return logits


def end_tokens(model: PreTrainedModel) -> set[int]:
    """The end-of-sequence tokens that ``generate()`` would stop at; there may be none."""
    ends = model.generation_config.eos_token_id if model.generation_config else model.config.eos_token_id
    return set() if ends is None else {ends} if isinstance(ends, int) else set(ends)
