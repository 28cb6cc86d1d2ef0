"""Pruned prefill the slow way: dropped tokens are masked and not removed. One pass over prompt and answer, no cache."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tokenrank.capture.inspection import model_layers
from tokenrank.capture.rules import AttentionRules


@dataclass(frozen=True)
class Hidden:
    """Which prompt tokens are hidden, and from whom."""

    tokens: int  # of the prompt
    drops: Mapping[int, list[int]]  # layer -> tokens that the layers after it see, by the last drop before them
    cached: Mapping[int, list[list[int]]]  # layer -> per key head, tokens that the answer sees

    def sees(self, layer: int, kv_head: int, query: int, key: int, window: int | None) -> bool:
        """Whether the query at that position sees that key."""
        if key > query or (window is not None and key <= query - window):
            return False
        if key >= self.tokens:
            return True
        before = [drop for drop in self.drops if drop < layer]
        if before and key not in self.drops[max(before)]:
            return False
        if query < self.tokens or layer not in self.cached:
            return True
        return key in self.cached[layer][kv_head]


@torch.inference_mode()
def cache_heads(model: PreTrainedModel) -> list[int]:
    """Heads that the model's own cache has in each layer; fewer than key heads with latent attention."""
    caches: Any = model(input_ids=torch.tensor([[3, 4]]), use_cache=True).past_key_values
    caches = getattr(caches, "self_attention_cache", caches)
    return [0 if getattr(layer, "keys", None) is None else int(layer.keys.shape[1]) for layer in caches.layers]


def for_all_key_heads(scores: Tensor, heads: int) -> list[Tensor]:
    """Scores of each key head, where a token stays for all key heads of a cache's head or for none: the mean of these.

    Args:
        scores: (key heads, tokens).
        heads: of the cache.
    """
    size = len(scores) // heads
    groups = [scores[first : first + size].sum(dim=0) / size for first in range(0, len(scores), size)]
    return [group for group in groups for _ in range(size)]


@torch.inference_mode()
def masked_logits(model: PreTrainedModel, ids: Tensor, answer: list[int], hidden: Hidden) -> Tensor:
    """(answer tokens, vocabulary): what the model says at the prompt's end and after each answer token but the last."""
    model_layers(model)
    whole = torch.cat([ids, torch.tensor(answer[:-1], dtype=torch.int64)])
    eager = "eager" in str(model.config._attn_implementation)

    def mask_by(module: nn.Module, query: Tensor, key: Tensor, rules: AttentionRules) -> Tensor:
        group, layer = query.shape[1] // key.shape[1], int(module.layer_idx)  # type: ignore[arg-type]
        window, size = rules.sliding_window, len(whole)
        rows = [
            [[hidden.sees(layer, head // group, q, k, window) for k in range(size)] for q in range(size)]
            for head in range(query.shape[1])
        ]
        seen = torch.tensor(rows)[None]
        return torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min) if eager else seen

    positions = torch.arange(len(whole))[None]
    logits: Tensor = model(input_ids=whole[None], position_ids=positions, mask_by=mask_by, use_cache=False).logits[0]
    return logits[len(ids) - 1 :]
