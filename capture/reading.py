"""Reads a prompt once and answers it once, greedily, while everything asked for is read off the passing layers."""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tokenrank.capture.attention import Visitor, watch
from tokenrank.capture.cache import reserved_cache
from tokenrank.capture.feeding import end_tokens, greedy, input_device, last_logits
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.seeing import Calls, layer_seen


@dataclass(frozen=True)
class Reading:
    """What is left of a prompt and its answer: the queries and keys of the prompt's own pass are gone."""

    answer_ids: Tensor  # (answer tokens,) int64, on the CPU; the end-of-sequence token included, if it was generated
    answer_layers: list[AttentionLayer]  # queries are those that predicted the answer tokens, keys those of the prompt
    ahead_layers: list[AttentionLayer]  # the same, with the queries of what was looked ahead beyond the answer
    prefill_seconds: float  # until the first answer token is known
    decode_seconds: float  # from there to the end of the answer


@dataclass(frozen=True)
class LayerFacts:
    """What is known of an attention layer before any prompt."""

    index: int  # of the layer in the model
    sliding_window: int | None  # a query sees the last this many positions; None: all before it


class _Recorder:
    """Turns attention calls into layers; knows one prompt."""

    def __init__(self, input_ids: Tensor, visit: Callable[[AttentionLayer], None], shared_rows: int) -> None:
        self.input_ids = input_ids
        self.calls = Calls()
        self.visit = visit
        self.shared_rows = min(shared_rows, len(input_ids))
        self.layers: dict[int, AttentionLayer] = {}  # facts and prompt keys; of the queries only the last one
        self.queries: dict[int, list[Tensor]] = {}  # (heads, new tokens, dim) each

    def prefill(self, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, rules: dict[str, Any]) -> None:
        call = self.calls.of(module, value)
        layer = layer_seen(self.input_ids, module, query, key, rules, call, self.shared_rows)
        self.visit(layer)
        last = query[0, :, -1:].clone()  # a view would keep all queries alive
        self.layers[layer.index] = replace(
            layer, queries=last, first_position=layer.tokens - 1, call=None, shared_rows=0
        )
        self.queries[layer.index] = [last]

    def decode(self, module: nn.Module, query: Tensor, *_: Any) -> None:
        self.queries[int(module.layer_idx)].append(query[0])  # type: ignore[arg-type]

    def answer_layers(self) -> list[AttentionLayer]:
        """The layers in order, each with one query per answer token."""
        return [
            replace(self.layers[index], queries=torch.cat(self.queries[index], dim=1)) for index in sorted(self.layers)
        ]


@torch.inference_mode()
def read(
    model: PreTrainedModel,
    input_ids: Tensor,
    visit: Callable[[AttentionLayer], None],
    *,
    max_new_tokens: int,
    answer_ids: Sequence[int] | None = None,
    shared_rows: int = 0,
    with_calls: bool = False,
    look_ahead: int = 0,
) -> Reading:
    """One prefill of the prompt, then its greedy answer; ``visit`` sees each attention layer of the prefill as it passes.

    The layer given to ``visit`` holds the queries and keys of the whole prompt: they die when the layer has passed,
    so keep results, not the layer.

    Args:
        model: a decoder of transformers.
        input_ids: (tokens,) int64, on any device; at least one token.
        visit: called once per attention layer, in order.
        max_new_tokens: the answer ends after this many tokens, or with an end-of-sequence token, which is part of it.
        answer_ids: if given, the answer is not generated but these tokens are fed (teacher forcing), in one pass.
        shared_rows: rows of window attention that several readers will ask for (see AttentionLayer).
        look_ahead: so many tokens of a generated answer are fed at least, even beyond ``max_new_tokens``, unless it ends.
        with_calls: the layers come with the call of the model's module that they were seen in.

    Raises:
        ValueError: an empty prompt, max_new_tokens or answer below one token, or no attention layer was seen.
    """
    if len(input_ids) == 0:
        raise ValueError("the prompt is empty, at least one token is needed")
    if answer_ids is not None:
        max_new_tokens = len(answer_ids)
    if max_new_tokens < 1:
        raise ValueError(f"the answer's length is {max_new_tokens} tokens, must be at least 1")
    watch(model)
    device = input_device(model)
    recorder = _Recorder(input_ids.to(device), visit, shared_rows)
    limit = max_new_tokens if answer_ids is not None else max(max_new_tokens, look_ahead + 1)
    cache = reserved_cache(model.config, len(input_ids) + limit)

    def feed(ids: Tensor, start: int, on_attention: Visitor) -> int:
        positions = torch.arange(start, start + len(ids), device=device)
        return int(last_logits(model, ids.to(device), positions, cache, on_attention=on_attention).argmax())

    started = time.perf_counter()
    with recorder.calls.noted(model) if with_calls else nullcontext():
        token = feed(input_ids, 0, recorder.prefill)
    if not recorder.layers:
        raise ValueError(f"no attention layer of {type(model).__name__} was captured")
    first_token = time.perf_counter()
    decode = partial(feed, on_attention=recorder.decode)
    if answer_ids is None:
        answer = greedy(decode, token, len(input_ids), limit, end_tokens(model))
    else:
        answer = list(answer_ids)
        if len(answer) > 1:
            decode(torch.tensor(answer[:-1]), len(input_ids))
    finished = time.perf_counter()
    ahead, answer = recorder.answer_layers(), answer[:max_new_tokens]
    layers = [replace(layer, queries=layer.queries[:, : len(answer)]) for layer in ahead]
    return Reading(torch.tensor(answer), layers, ahead, first_token - started, finished - first_token)


def attention_layers(model: PreTrainedModel) -> list[LayerFacts]:
    """The model's layers that have attention, in order: of a hybrid, some; found by reading one token, and nothing stays of it.

    Raises:
        ValueError: as for ``read``, above all if no attention layer was seen.
    """
    found: list[LayerFacts] = []
    read(
        model,
        torch.tensor([0]),
        lambda layer: found.append(LayerFacts(layer.index, layer.sliding_window)),
        max_new_tokens=1,
    )
    return found
