"""Every engine at keep < 100 % against a slow version of it."""

from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from tests.prefill.slow import Hidden, cache_heads, for_all_key_heads, masked_logits
from tests.sweep.alone import KEPT, WINDOW, Alone
from tests.sweep.readings import ANSWER
from tests.sweep.truths import generated
from tokenrank.capture.decoder_layers import decoder_layers
from tokenrank.capture.reading import read
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.prefill.draft import Draft
from tokenrank.prefill.engine import Full
from tokenrank.prefill.layerwise import Layerwise
from tokenrank.prefill.restart import Restart

TOLERANCE = 1e-3  # of a logit


def engine_fault(found: Alone, eager: PreTrainedModel, *, by_hand: bool) -> str:
    """What is wrong with an engine's answer; nothing if it is that of the slow version.

    Args:
        found: of the engine, whose model is watched.
        eager: an untouched copy of the model with eager attention.
        by_hand: the first logits alone are compared, where no single pass over prompt and answer gives what decoding does.
    """
    model, ids, engine, heuristic = found.job.model, found.job.input_ids, found.engine, found.heuristic
    answer, logits, kept = found.outcome.answer, found.outcome.logits, found.outcome.kept
    if isinstance(engine, Full):
        wanted = generated(eager, ids, ANSWER)
        return "" if answer == wanted else f"the answer is {answer}, generate() says {wanted}"
    if isinstance(engine, Restart):
        wanted = generated(eager, ids[kept], ANSWER)
        return "" if answer == wanted else f"the answer is {answer}, that of the kept tokens alone {wanted}"
    cached: dict[int, list[list[int]]] = {}
    if isinstance(engine, Draft):
        places, select = _best(heuristic.draft_scores(model, ids)), -1
    else:
        assert isinstance(engine, Layerwise)
        select = engine.select_layer if engine.select_layer is not None else -1
        places, cached = _layerwise(model, eager, ids, heuristic, select)
    if kept != places:
        return f"kept are {kept}, must be {places}"
    if _only_attention(model) and not by_hand:
        wanted_logits = masked_logits(model, ids, answer, Hidden(len(ids), {select: places}, cached))
        far = float((wanted_logits - logits).abs().max())
    else:
        wanted_logits = _by_hand(eager, ids, torch.tensor(kept), select)
        far = float((wanted_logits - logits[0]).abs().max())
    return "" if far < TOLERANCE else f"logits differ by {far:.1e} from those of the slow version"


def _only_attention(model: PreTrainedModel) -> bool:
    """Whether no layer remembers anything but keys and values, so that masking a token is the same as removing it."""
    return all(
        type(each) in (DynamicLayer, DynamicSlidingWindowLayer) for each in DynamicCache(config=model.config).layers
    )


def _best(scores: Tensor) -> list[int]:
    """Places of the best tokens before the window and of the window; the earlier one of equals."""
    tokens = len(scores)
    before = sorted(range(tokens - WINDOW), key=lambda token: (-float(scores[token]), token))[: KEPT - WINDOW]
    return sorted([*before, *range(tokens - WINDOW, tokens)])


def _layerwise(
    model: PreTrainedModel, eager: PreTrainedModel, ids: Tensor, heuristic: Heuristic, select: int
) -> tuple[list[int], dict[int, list[list[int]]]]:
    """What the layerwise engine should keep, from the layers of an ordinary reading."""
    rows: list[Tensor] = []
    cached: dict[int, list[list[int]]] = {}
    heads = cache_heads(eager)

    def visit(layer: Any) -> None:
        if layer.index <= select:
            rows.append(heuristic.score(layer))
            scores = for_all_key_heads(heuristic.score_heads(layer), heads[layer.index])
            cached[layer.index] = [_best(row) for row in scores]

    read(model, ids, visit, max_new_tokens=1, needs=heuristic.needs)
    return _best(heuristic.combine(torch.stack(rows))[-1]), cached


@torch.no_grad()
def _by_hand(eager: PreTrainedModel, ids: Tensor, kept: Tensor, select: int) -> Tensor:
    """Logits where the layers after ``select`` are given only the kept rows of all that has a row for each token.

    Layers without attention cannot be masked: they read the kept tokens as if there were no others.
    """
    tokens = len(ids)

    def thin(value: Any) -> Any:
        if isinstance(value, (tuple, list)):
            return type(value)(thin(each) for each in value)
        if isinstance(value, dict):
            return {name: thin(each) for name, each in value.items()}
        if not isinstance(value, Tensor):
            return value
        for axis in [axis for axis, size in enumerate(value.shape) if size == tokens]:
            value = value.index_select(axis, kept)
        return value

    handles = [
        layer.register_forward_pre_hook(lambda _, given, named: (thin(given), thin(named)), with_kwargs=True)
        for layer in list(decoder_layers(eager))[select + 1 :]
    ]
    try:
        output = eager(input_ids=ids[None], use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    return output.logits[0, -1]  # type: ignore[no-any-return]
