"""Slow, obvious versions to test against, and random layers to test on. Nothing here uses the project's own formulas."""

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from tokenrank.capture.layer import AttentionLayer
from tokenrank.models.tiny import Tiny
from tokenrank.oracle.oracle import Answer, AnsweredPrompt

Array = np.ndarray[Any, np.dtype[np.float64]]


def random_layer(
    *, index: int = 0, heads: int = 4, kv_heads: int = 2, tokens: int = 40, dim: int = 8, seed: int = 0, **rules: Any
) -> AttentionLayer:
    """A prompt's layer with uneven attention; ``rules`` are further fields of AttentionLayer."""
    draw = torch.Generator().manual_seed(seed)
    queries, keys = (2 * torch.randn(each, tokens, dim, generator=draw) for each in (heads, kv_heads))
    ids = torch.randint(0, 1000, (tokens,), generator=draw)
    values = torch.randn(kv_heads, tokens, dim, generator=draw)
    return AttentionLayer(
        **(
            {"index": index, "queries": queries, "keys": keys, "values": values, "scale": dim**-0.5, "input_ids": ids}
            | rules
        )
    )


def answered(layers: Sequence[AttentionLayer]) -> AnsweredPrompt:
    """What an oracle gets of an answer with these layers; model and token ids are there and do not fit them."""
    return AnsweredPrompt(_model(), torch.arange(40), Answer((1, 2), "generated"), layers)


@cache
def _model() -> PreTrainedModel:
    return Tiny().model()


def attention(layer: AttentionLayer) -> Array:
    """(heads, queries, tokens): the softmax of every query over the tokens it may see, one number at a time."""
    heads, rows, _ = layer.queries.shape
    out = np.zeros((heads, rows, layer.tokens))
    for head in range(heads):
        key_head = head // (heads // layer.kv_heads)
        for row in range(rows):
            position = layer.first_position + row
            logits = {}
            for token in range(layer.tokens):
                too_far = layer.sliding_window is not None and token <= position - layer.sliding_window
                if token > position or too_far:
                    continue
                dot = float(layer.queries[head, row].double() @ layer.keys[key_head, token].double()) * layer.scale
                logits[token] = dot if layer.softcap is None else layer.softcap * math.tanh(dot / layer.softcap)
            total = sum(math.exp(each) for each in logits.values())
            if layer.sinks is not None:
                total += math.exp(float(layer.sinks[head]))
            for token, logit in logits.items():
                out[head, row, token] = math.exp(logit) / total
    return out


def average(scores: Array, kernel: int) -> Array:
    """(tokens,) averaged over ``kernel`` neighbours, zeros beyond both ends."""
    half = kernel // 2
    return np.array([sum(scores[max(0, i - half) : i + half + 1]) / kernel for i in range(len(scores))])


def maximum(scores: Array, kernel: int) -> Array:
    """(tokens,) maximum over ``kernel`` neighbours, nothing beyond both ends."""
    half = kernel // 2
    return np.array([max(scores[max(0, i - half) : i + half + 1]) for i in range(len(scores))])
