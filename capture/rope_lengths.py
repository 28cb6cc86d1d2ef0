"""Rotary factors that depend on a prompt's length: what one prompt leaves in a model for the next, and answers that change them.

With rope types ``dynamic`` and ``longrope`` the largest position of a forward pass decides the frequencies of all its tokens. Keys in
the cache keep the frequencies with which they were read.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from torch import Tensor
from transformers import GenerationMixin, PreTrainedModel

DYNAMIC, LONG = "dynamic", "longrope"


def rope_parameters(config: Any) -> list[tuple[str, dict[str, Any]]]:
    """The rotary parameters of a config: (layer type, parameters); one pair, of layer type "", where all layers share them.

    Args:
        config: of transformers, of a decoder alone or with others; it may have none.
    """
    text = config.get_text_config(decoder=True)
    given = getattr(text, "rope_parameters", None) or {}
    nested = [(str(name), each) for name, each in given.items() if isinstance(each, dict)]
    each_type = nested if nested and "rope_type" not in given else [("", given)]
    return [(name, each) for name, each in each_type if each]


def forget_lengths(model: PreTrainedModel) -> None:
    """Puts dynamic rotary frequencies back as they are in a model that has read nothing.

    transformers keeps those of the longest prompt so far, so that a prompt would be read with frequencies that depend on the
    prompts before it. Models of other rope types are left alone.
    """
    types = [name for name, each in rope_parameters(model.config) if each.get("rope_type") == DYNAMIC]
    if not types:
        return
    for module in model.modules():
        if not (hasattr(module, "original_max_seq_len") and hasattr(module, "rope_type")):
            continue
        for prefix in (f"{name}_" if name else "" for name in types):
            if hasattr(module, f"{prefix}original_inv_freq"):
                original = getattr(module, f"{prefix}original_inv_freq")
                module.register_buffer(f"{prefix}inv_freq", original, persistent=False)
                setattr(module, f"{prefix}max_seq_len_cached", module.original_max_seq_len)


def check_answer_position(model: PreTrainedModel, read: int, position: int) -> None:
    """Raises ValueError if ``generate()`` would start its cache anew before it feeds the token at this position.

    The classes that do so (Phi3, PhiMoE and Phi4Multimodal) read a whole text with short factors up to
    ``original_max_position_embeddings`` and with long ones beyond. An answer that ends before is exact, and so is one after a
    prompt that is longer.

    Args:
        model: a decoder of transformers.
        read: one more than the last position of the prompt as it was read.
        position: of the last token that is to be fed; one of the prompt's own is allowed.
    """
    last = restarts_after(model)
    if last is None or not read <= last <= position:
        return
    raise ValueError(
        f"the answer to a prompt of {read} tokens goes on to token {position + 1}, and {type(model).__name__} reads up to {last} "
        "tokens (original_max_position_embeddings) with short rope factors and more with long ones: generate() would read all of "
        "them again, with other keys, which is not followed; let the answer have at most "
        f"{last - read + 1} tokens, or take a prompt of more than {last}"
    )


def restarts_after(model: PreTrainedModel) -> int | None:
    """The number of tokens after which ``generate()`` reads all of them again with other rotary factors; None: it never does."""
    common = GenerationMixin.prepare_inputs_for_generation
    if getattr(type(model), "prepare_inputs_for_generation", common) is common:  # most models: asked at every token
        return None
    original = getattr(model.config.get_text_config(decoder=True), "original_max_position_embeddings", None)
    long = any(each.get("rope_type") == LONG for _, each in rope_parameters(model.config))
    return int(original) if long and original is not None else None


def may_restart(model: PreTrainedModel, tokens: int, max_new_tokens: int) -> bool:
    """Whether an answer of full length to a prompt of so many tokens would be refused; the model needs no weights."""
    last = restarts_after(model)
    return last is not None and tokens <= last <= tokens + max_new_tokens - 2


def in_passes(model: PreTrainedModel, ids: Tensor, start: int) -> Iterator[tuple[Tensor, int]]:
    """A given answer in parts, (ids, position of the first): fed one after the other they are read as token by token.

    One part where the frequencies do not depend on the length. Otherwise the tokens up to the length at which they begin to
    change are one part; each later one is a part of its own where they are dynamic, and all later ones are one with long factors.

    Args:
        model: a decoder of transformers.
        ids: (tokens,) of the answer.
        start: position of the first.
    """
    changes = [_changes_at(model, each) for _, each in rope_parameters(model.config)]
    cuts = {0, len(ids)}
    for last, every in (change for change in changes if change is not None):
        first = min(max(last - start, 0), len(ids))
        cuts |= set(range(first, len(ids))) if every else {first}
    ends = sorted(cuts)
    for begin, end in pairwise(ends):
        yield ids[begin:end], start + begin


def one_by_one(ids: Tensor, start: int) -> Iterator[tuple[Tensor, int]]:
    """A given answer in parts of one token, (ids, position)."""
    yield from ((ids[place : place + 1], start + place) for place in range(len(ids)))


def _changes_at(model: PreTrainedModel, parameters: dict[str, Any]) -> tuple[int, bool] | None:
    """(tokens up to which the frequencies stay, whether each further token changes them); None: they never change."""
    if parameters.get("rope_type") == LONG:
        return int(parameters["original_max_position_embeddings"]), False
    if parameters.get("rope_type") == DYNAMIC:
        return int(model.config.get_text_config(decoder=True).max_position_embeddings), True
    return None
