"""Feeds one prompt and its answer to a model, with a cache of their own."""

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import Cache

from tokenrank.capture.attention import Visitor
from tokenrank.capture.cache import back_to, can_go_back, reserved_cache
from tokenrank.capture.feeding import input_device, last_logits
from tokenrank.capture.position_tables import check_in_table, position_table
from tokenrank.capture.rope_lengths import check_answer_position


class Feed:
    """Feeds one prompt and its answer to a model, and keeps their cache."""

    def __init__(self, model: PreTrainedModel, prompt_tokens: int, answer_tokens: int) -> None:
        self._model, self._prompt_tokens = model, prompt_tokens
        self._cache, self._table = reserved_cache(model.config, prompt_tokens + answer_tokens), position_table(model)

    def __call__(self, ids: Tensor, start: int, on_attention: Visitor | None = None) -> Tensor:
        """(vocabulary,) logits of the token after these, the first of which has the position ``start``.

        Raises:
            ValueError: the model cannot go on to these positions as ``generate()`` does.
        """
        check_answer_position(self._model, self._prompt_tokens, start + len(ids) - 1)
        check_in_table(self._model, self._table, start + len(ids))
        device = input_device(self._model)
        positions = torch.arange(start, start + len(ids), device=device)
        watchers = {} if on_attention is None else {"on_attention": on_attention}
        return last_logits(self._model, ids.to(device), positions, self._cache, **watchers)

    @property
    def cache(self) -> Cache:
        """Of the prompt and of what was fed after it."""
        return self._cache

    @property
    def forgets(self) -> bool:
        """Whether the answer's tokens can be fed a second time."""
        return can_go_back(self._cache)

    def forget_answer(self) -> None:
        """Leaves the prompt alone in the cache, where tokens can be forgotten."""
        if self.forgets:
            back_to(self._cache, self._prompt_tokens)
