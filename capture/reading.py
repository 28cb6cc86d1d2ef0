"""One prefill of a prompt and one greedy answer, with a visitor called at each attention layer of the prefill."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tokenrank.capture.attention import Visitor
from tokenrank.capture.cache import reserved_cache
from tokenrank.capture.captured_layer import ModuleCalls, captured_layer
from tokenrank.capture.decoding import Decoding, check_finite_logits, greedy
from tokenrank.capture.feeding import check_one_prompt, input_device, last_logits
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.model_masks import MaskCheck
from tokenrank.capture.needs import NOTHING, Needs
from tokenrank.capture.position_tables import check_in_table, position_table
from tokenrank.capture.rope_lengths import check_answer_position, in_passes
from tokenrank.capture.rules import AttentionRules, layer_number


@dataclass(frozen=True)
class Reading:
    """An answer and its layers; of the prompt's own queries only the last is left."""

    answer_ids: Tensor  # (answer tokens,) int64, on the CPU; the end-of-sequence token included, if it was generated
    answer_layers: list[AttentionLayer]  # queries are those that predicted the answer tokens, keys those of the prompt
    ahead_layers: list[
        AttentionLayer
    ]  # the same, with further queries where ``Needs.look_ahead`` goes beyond the answer
    prefill_seconds: float  # until the first answer token is known
    decode_seconds: float  # from there to the end of the answer


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


class _Feed:
    """Feeds one prompt and its answer to a model, and keeps their cache."""

    def __init__(self, model: PreTrainedModel, prompt_tokens: int, answer_tokens: int) -> None:
        self._model, self._prompt_tokens = model, prompt_tokens
        self._cache, self._table = reserved_cache(model.config, prompt_tokens + answer_tokens), position_table(model)

    def __call__(self, ids: Tensor, start: int, on_attention: Visitor) -> Tensor:
        """(vocabulary,) logits of the token after these, the first of which has the position ``start``.

        Raises:
            ValueError: the model cannot go on to these positions as ``generate()`` does.
        """
        check_answer_position(self._model, self._prompt_tokens, start + len(ids) - 1)
        check_in_table(self._model, self._table, start + len(ids))
        device = input_device(self._model)
        positions = torch.arange(start, start + len(ids), device=device)
        return last_logits(self._model, ids.to(device), positions, self._cache, on_attention=on_attention)


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
) -> Reading:
    """One prefill of the prompt, then its greedy answer; ``visit`` is called with each attention layer of the prefill.

    That layer holds the queries and keys of the whole prompt. They are freed once ``visit`` has returned, unless it keeps them:
    keep results, not the layer.

    Args:
        model: a decoder of transformers.
        input_ids: (tokens,) int64, on any device; at least one token.
        visit: called once per attention layer, in order.
        max_new_tokens: the answer ends after this many tokens, or with an end-of-sequence token, which is part of it.
        answer_ids: if given, the answer is not generated but these tokens are fed (teacher forcing), in one pass where the
            model's rotary frequencies do not depend on the length.
        needs: what ``visit`` reads of a layer beyond queries and keys. At least ``needs.look_ahead`` tokens of a generated answer
            are fed, even beyond ``max_new_tokens``, unless it ends before.
        decoding: rules of a generated answer; None: the model's own.

    Raises:
        ValueError: an empty prompt or several at once, ``max_new_tokens`` or an answer below one token, a model that cannot be captured (see
            ``watch``), one without any attention layer, an answer that cannot be followed (``check_answer_position``,
            ``check_in_table``), or logits that are not finite: those of every token of a generated answer, those of the first
            and the last token of a given one.
    """
    check_one_prompt(input_ids)
    if answer_ids is not None:
        max_new_tokens = len(answer_ids)
    if max_new_tokens < 1:
        raise ValueError(f"the answer's length is {max_new_tokens} tokens, must be at least 1")
    known = model_layers(model)
    masks = MaskCheck(model)
    recorder = _Recorder(input_ids.to(input_device(model)), visit, needs, masks)
    limit = max_new_tokens if answer_ids is not None else max(max_new_tokens, needs.look_ahead + 1)
    feed = _Feed(model, len(input_ids), limit)
    rules = None if answer_ids is not None else decoding or Decoding.of(model)
    started = time.perf_counter()
    with recorder.calls.recorded(model, needs):
        logits = feed(input_ids, 0, recorder.prefill)
    if tuple(sorted(recorder.layers)) != known.attention:
        raise ValueError(
            f"{type(model).__name__} called attention in the layers {sorted(recorder.layers)}, and when it was inspected in {known}: "
            "its layers have been changed since"
        )
    check_finite_logits(logits, "answer token 0")  # waits for the device: the time ends here
    first_token = time.perf_counter()
    decode = partial(feed, on_attention=recorder.decode)
    if rules is not None:
        begun = rules.begin(model, input_ids, max_new_tokens)
        answer = greedy(decode, begun, logits, len(input_ids), limit)
    else:
        answer = list(answer_ids or ())
        for ids, start in in_passes(model, torch.tensor(answer[:-1]), len(input_ids)):
            logits = decode(ids, start)
        check_finite_logits(logits, f"answer token {len(answer) - 1}")
    finished = time.perf_counter()
    masks.finish()
    ahead, answer = recorder.answer_layers(), answer[:max_new_tokens]
    layers = [replace(layer, queries=layer.queries[:, : len(answer)]) for layer in ahead]
    return Reading(torch.tensor(answer), layers, ahead, first_token - started, finished - first_token)
