"""One prefill of a prompt and one greedy answer, with a visitor called at each attention layer of the prefill."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.cache_utils import Cache

from tokenrank.capture.captured_layer import ModuleCalls, captured_layer
from tokenrank.capture.decoding import Decoding, check_finite_logits, greedy
from tokenrank.capture.feed import Feed
from tokenrank.capture.feeding import check_one_prompt, input_device
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.model_masks import MaskCheck
from tokenrank.capture.needs import NOTHING, Needs
from tokenrank.capture.rope_lengths import in_passes
from tokenrank.capture.rules import AttentionRules, layer_number
from tokenrank.capture.shared_prefill import SharedPrefill


@dataclass(frozen=True)
class Reading:
    """An answer and its layers; of the prompt's own queries only the last is left."""

    answer_ids: Tensor  # (answer tokens,) int64, on the CPU; the end-of-sequence token included, if it was generated
    ahead_ids: Tensor  # (tokens,) int64, on the CPU: the answer, and what follows it as far as was looked ahead
    answer_layers: list[AttentionLayer]  # queries are those that predicted the answer tokens, keys those of the prompt
    ahead_layers: list[AttentionLayer]  # the same, with the queries that predicted all of ``ahead_ids``
    prefill_seconds: float  # until the first answer token is known
    decode_seconds: float | None  # from there to the end of the answer; None where it was given
    answer_seconds: float  # of the pass over the answer's tokens that gave its queries
    cache: Cache | None = (
        None  # of the prompt and what was fed after it, where it was asked for; keys in it are those of the layers
    )


class _Recorder:
    """Turns the attention calls of one prompt and its answer into layers."""

    def __init__(
        self, input_ids: Tensor, visit: Callable[[AttentionLayer], None], needs: Needs, masks: MaskCheck
    ) -> None:
        self.input_ids, self.visit, self.needs, self.masks = input_ids, visit, needs, masks
        self.calls = ModuleCalls()
        self.layers: dict[int, AttentionLayer] = {}  # rules and prompt keys; of the queries only the last one
        self.queries: dict[int, list[Tensor]] = {}  # (heads, new tokens, dim) each

    def prefill(self, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, rules: AttentionRules) -> None:
        call = self.calls.take(module, value)
        layer = captured_layer(self.input_ids, module, query, key, value, rules, needs=self.needs, call=call)
        self.masks.add(layer.index, query, key, rules)
        self.visit(layer)
        last = query[0, :, -1:].clone()  # a view would keep all queries alive
        self.layers[layer.index] = replace(
            layer, queries=last, first_position=layer.tokens - 1, values=None, call=None, shared_rows=0
        )
        self.queries[layer.index] = [last]

    def decode(self, module: nn.Module, query: Tensor, key: Tensor, _value: Tensor, rules: AttentionRules) -> None:
        layer = layer_number(module)
        if len(self.queries[layer]) == 1:  # the first step: later ones have masks of the same kind
            self.masks.add(layer, query, key, rules)
        self.queries[layer].append(query[0])

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
    needs: Needs = NOTHING,
    decoding: Decoding | None = None,
    while_decoding: bool = False,
    shared: SharedPrefill | None = None,
    keep_cache: bool = False,
) -> Reading:
    """One prefill of the prompt, then its greedy answer; ``visit`` is called with each attention layer of the prefill.

    That layer holds the queries and keys of the whole prompt. They are freed once ``visit`` has returned, unless it keeps them:
    keep results, not the layer.

    The answer's queries do not depend on where it came from: they are those of one pass over its tokens on the prompt's cache,
    after it was decoded or given. A model that holds a state of all tokens together is fed them one by one, and its queries are
    those of decoding.

    Args:
        model: a decoder of transformers.
        input_ids: (tokens,) int64, on any device; at least one token.
        visit: called once per attention layer, in order.
        max_new_tokens: the answer ends after this many tokens, or with an end-of-sequence token, which is part of it.
        answer_ids: if given, nothing is generated: the first ``max_new_tokens`` of these are the answer, and further ones are
            what follows it.
        needs: what ``visit`` reads of a layer beyond queries and keys. At least ``needs.look_ahead`` tokens of a generated answer
            are fed, even beyond ``max_new_tokens``, unless it ends before.
        decoding: rules of a generated answer; None: the model's own.
        shared: takes what the prefill of the prompt leaves for others; its readers read each layer before ``visit``.
        while_decoding: take the queries of a generated answer as it is decoded, which saves the pass. They are the same but for rounding.

        keep_cache: the reading holds the cache; without it the values are freed.

    Raises:
        ValueError: an empty prompt or several at once, ``max_new_tokens`` or an answer below one token, a model that cannot be captured (see
            ``watch``), one without any attention layer, an answer that cannot be followed (``check_answer_position``,
            ``check_in_table``), or logits that are not finite: those of every token of a generated answer, those of the first
            and the last token of a given one.
    """
    check_one_prompt(input_ids)
    least = max_new_tokens if answer_ids is None else min(max_new_tokens, len(answer_ids))
    if least < 1:
        raise ValueError(f"the answer's length is {least} tokens, must be at least 1")
    tokens, limit = len(input_ids), ahead_limit(max_new_tokens, needs) if answer_ids is None else len(answer_ids)
    recorder = _Recorder(
        input_ids.to(input_device(model)), _both(visit, shared), _together(needs, shared), MaskCheck(model)
    )
    feed = Feed(model, tokens, limit)
    rules = None if answer_ids is not None else decoding or Decoding.of(model)
    once = while_decoding or not feed.forgets  # the answer is fed once: its queries are those of decoding
    started = time.perf_counter()
    logits = _prefill(model, feed, recorder, shared)
    first_token = time.perf_counter()
    recorded = partial(feed, on_attention=recorder.decode)
    if rules is None:
        ahead = list(answer_ids or ())
    else:
        begun = rules.begin(model, input_ids, max_new_tokens)
        ahead = greedy(recorded if once else feed, begun, logits, tokens, limit)
    decoded = time.perf_counter()
    answer = ahead[:max_new_tokens]
    if rules is None or not once:
        feed.forget_answer()
        for ids, start in _parts(model, answer, ahead, tokens, one_by_one=not feed.forgets):
            check_finite_logits(recorded(ids, start), f"answer token {start + len(ids) - tokens}")
    recorder.masks.finish()
    of_ahead = recorder.answer_layers()
    of_answer = [replace(layer, queries=layer.queries[:, : len(answer)]) for layer in of_ahead]
    seconds = (first_token - started, None if rules is None else decoded - first_token, time.perf_counter() - decoded)
    cache = feed.cache if keep_cache else None
    return Reading(torch.tensor(answer), torch.tensor(ahead), of_answer, of_ahead, *seconds, cache)


def _both(visit: Callable[[AttentionLayer], None], shared: SharedPrefill | None) -> Callable[[AttentionLayer], None]:
    if shared is None:
        return visit

    def visit_both(layer: AttentionLayer) -> None:
        shared.visit(layer)
        visit(layer)

    return visit_both


def _together(needs: Needs, shared: SharedPrefill | None) -> Needs:
    return needs if shared is None else Needs.together([needs, shared.needs])


def _prefill(model: PreTrainedModel, feed: Feed, recorder: _Recorder, shared: SharedPrefill | None) -> Tensor:
    """(vocabulary,) logits of the first answer token; when it returns, they are known on the host.

    Raises:
        ValueError: they are not finite, or other layers called attention than when the model was inspected.
    """
    known = model_layers(model)
    with (
        recorder.calls.recorded(model, recorder.needs),
        shared.recorded(len(recorder.input_ids)) if shared else nullcontext(),
    ):
        logits = feed(recorder.input_ids, 0, recorder.prefill)
    if tuple(sorted(recorder.layers)) != known.attention:
        raise ValueError(
            f"{type(model).__name__} called attention in the layers {sorted(recorder.layers)}, and when it was inspected in {known}: "
            "its layers have been changed since"
        )
    check_finite_logits(logits, "answer token 0")  # waits for the device
    if shared is not None:
        shared.take(feed.cache, logits)
    return logits


def ahead_limit(max_new_tokens: int, needs: Needs) -> int:
    """Tokens that are decoded of an answer at most: the look-ahead may go beyond its limit."""
    return max(max_new_tokens, needs.look_ahead + 1)


def _parts(
    model: PreTrainedModel, answer: list[int], ahead: list[int], start: int, one_by_one: bool
) -> Iterator[tuple[Tensor, int]]:
    """(ids, position of the first) of each pass: the answer but its last token, then what follows it.

    They are apart, so that the answer's queries do not depend on how far was looked ahead.

    Args:
        model: a decoder of transformers.
        answer: tokens of the answer.
        ahead: the same, and what follows them.
        start: position of the first.
        one_by_one: whether each token is a pass of its own.
    """
    for ids, first in ((answer[:-1], start), (ahead[len(answer) - 1 : -1], start + len(answer) - 1)):
        fed = torch.tensor(ids, dtype=torch.long)
        if one_by_one:
            yield from ((fed[place : place + 1], first + place) for place in range(len(ids)))
        else:
            yield from in_passes(model, fed, first)
