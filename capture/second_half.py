"""The layers behind a select layer, run on a prompt's kept tokens from hidden states that another prefill left."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from tokenrank.capture.cache import hold_copy, layer_copy
from tokenrank.capture.decoder_layers import decoder_layers
from tokenrank.capture.feeding import last_logits
from tokenrank.capture.operations import END, counted_once
from tokenrank.capture.pruning import PrunedRun
from tokenrank.capture.rules import AttentionRules, layer_number
from tokenrank.capture.shared_prefill import Half, SharedPrefill


@torch.inference_mode()
def second_half(
    run: PrunedRun, shared: SharedPrefill, select_layer: int, onward: Tensor, cached: Mapping[int, Tensor]
) -> tuple[Tensor, int]:
    """What ``run.prefill`` does where a visitor keeps these tokens at the layers up to ``select_layer``, bit for bit.

    The layers up to ``select_layer`` compute nothing: their hidden states and caches are taken from the shared prefill. Of two runs
    that keep the same tokens for the later layers, as of one ranking in engines that differ in their caches alone, the second copies
    what the first has computed, until ``shared.forget_halves()``.

    Args:
        run: of the same model and prompt, without positions of its own; it has read nothing.
        shared: after it has read the prompt, with ``select_layer`` in its ``after``.
        select_layer: number of a layer.
        onward: (kept,) int64 places, ascending, with the last token: for the later layers.
        cached: layer -> (cached heads, kept) int64 places, ascending, that its cache keeps; other layers up to ``select_layer`` keep all.

    Returns:
        (vocabulary,) logits of the first answer token, and the operations of the later layers.
    """
    key = (select_layer, *onward.tolist())
    twin = shared.halves.get(key)
    if twin is None:
        shared.halves[key] = twin = Half(run, *_run(run, shared, select_layer, onward))
    else:
        _copy_layers(run, twin.run, range(select_layer + 1, shared.total_layers))
    _hold(run, shared, range(select_layer + 1), cached)
    return twin.logits, twin.operations


def _run(run: PrunedRun, shared: SharedPrefill, select_layer: int, onward: Tensor) -> tuple[Tensor, int]:
    """The logits, and the operations from the end of ``select_layer`` on: those before it are the shared prefill's."""
    layers = list(decoder_layers(run.model))[: select_layer + 1]
    outputs = [shared.output(number, select_layer) for number in range(select_layer + 1)]
    ids, positions = run.fed.all_ids, run.fed.all_positions

    def seen(module: nn.Module, _query: Tensor, _key: Tensor, _value: Tensor, rules: AttentionRules) -> None:
        run.kept.add(layer_number(module), run.fed.positions, rules.sliding_window)

    def mask_by(_module: nn.Module, query: Tensor, _key: Tensor, rules: AttentionRules) -> Tensor | None:
        return run.masks.of_prompt(query, run.fed.positions, rules.sliding_window)

    def ended() -> None:
        marks.mark(select_layer)
        run.fed.drop_all_but(onward)

    counting = counted_once(run.model, ("second half", select_layer, len(onward)))
    with counting as marks, run.feeding(), _given(layers, outputs, ended):
        logits = last_logits(run.model, ids, positions, run.kept.cache, on_attention=seen, mask_by=mask_by)
    return logits, marks[END] - marks[select_layer]


def whole_run(run: PrunedRun, shared: SharedPrefill) -> Tensor:
    """Makes a run that has read nothing hold all that the shared prefill held; returns the (vocabulary,) logits of the first token."""
    _hold(run, shared, range(shared.total_layers), {})
    return shared.first_logits


def _hold(run: PrunedRun, shared: SharedPrefill, layers: Iterable[int], cached: Mapping[int, Tensor]) -> None:
    """Makes layers that have read nothing hold what the shared prefill's held after the prompt; ``cached`` as for ``second_half``."""
    for layer in layers:
        held, room = shared.held(layer), run.answer_tokens
        if layer in shared.windows:
            rows, window = cached.get(layer), shared.windows[layer]
            run.kept.hold_copy(layer, held, rows, run.fed.all_positions, window, room)
        else:
            hold_copy(run.kept.cache, layer, held, None, room)


def _copy_layers(run: PrunedRun, other: PrunedRun, layers: Iterable[int]) -> None:
    """Makes layers that have read nothing hold what another run's of the same prompt hold after its prefill."""
    for layer in layers:
        hold_copy(run.kept.cache, layer, layer_copy(other.kept.cache, layer), None, run.answer_tokens)
    run.kept.copy_positions(other.kept, layers)


@contextmanager
def _given(layers: Sequence[nn.Module], outputs: Sequence[Any], ended: Callable[[], None]) -> Iterator[None]:
    """Within the block these decoder layers compute nothing and return these outputs; ``ended`` is called at the last of them."""
    own = [
        vars(layer).get("forward") for layer in layers
    ]  # of the module alone, as a wrapper of another package sets it

    def returning(place: int) -> Callable[..., Any]:
        def forward(*_given: Any, **_named: Any) -> Any:
            if place == len(layers) - 1:
                ended()
            return outputs[place]

        return forward

    try:
        for place, layer in enumerate(layers):
            vars(layer)["forward"] = returning(place)
        yield
    finally:
        for layer, before in zip(layers, own, strict=True):
            vars(layer).pop("forward", None)
            if before is not None:
                vars(layer)["forward"] = before
