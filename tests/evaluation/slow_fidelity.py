"""Fidelity the slow way: transformers' own forward passes over prompt and answer, with no cache, and formulas written out."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from tests.prefill.slow import cache_heads, for_all_key_heads
from tokenrank.capture.decoder_layers import decoder_layers
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.reading import read
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.prefill.engine import Engine
from tokenrank.prefill.layerwise import Layerwise
from tokenrank.prefill.restart import Restart

Hides = Callable[[int], Tensor]  # number of a layer -> (heads, tokens, tokens) bool: the key is hidden from the query


def best(scores: Tensor, kept: int, window: int) -> list[int]:
    """Places of the best tokens before the window and of the window; the earlier one of equals."""
    before = len(scores) - window
    ordered = sorted(range(before), key=lambda token: (-float(scores[token]), token))
    return sorted([*ordered[: kept - window], *range(before, len(scores))])


def ranking_of(model: PreTrainedModel, ids: Tensor, ranks: Heuristic, select: int) -> tuple[Tensor, dict[int, Tensor]]:
    """The ranking at the select layer, and the scores of the heads of each layer's cache up to it, from an ordinary reading."""
    rows: list[Tensor] = []
    heads, held = {}, cache_heads(model)

    def visit(layer: AttentionLayer) -> None:
        if layer.index > select:
            return
        rows.append(ranks.score(layer))
        heads[layer.index] = torch.stack(for_all_key_heads(ranks.score_heads(layer), held[layer.index]))

    read(model, ids, visit, max_new_tokens=1, needs=ranks.needs)
    return ranks.combine(torch.stack(rows))[-1], heads


@torch.inference_mode()
def forward(model: PreTrainedModel, ids: Tensor, positions: Tensor, hides: Hides | None = None) -> Tensor:
    """(tokens, vocabulary) logits of one pass; what ``hides`` says is added to the masks that transformers makes."""
    handles = []
    for number, layer in enumerate(decoder_layers(model)):
        if hides is None:
            break
        before = partial(_more_hidden, hides, number)
        attention = next(each for name, each in layer.named_children() if name in ("self_attn", "self_attention"))
        handles.append(attention.register_forward_pre_hook(before, with_kwargs=True))
    try:
        seen = torch.ones_like(ids)[None]  # a prompt whose positions have gaps is still one prompt
        logits: Tensor = model(
            input_ids=ids[None], position_ids=positions[None], attention_mask=seen, use_cache=False
        ).logits
    finally:
        for handle in handles:
            handle.remove()
    return logits[0]


def _more_hidden(hides: Hides, number: int, _module: Any, args: Any, named: dict[str, Any]) -> Any:
    mask = named["attention_mask"]
    assert mask.dim() == 4
    return args, named | {"attention_mask": mask.masked_fill(hides(number)[None], torch.finfo(mask.dtype).min)}


def logits_after(
    model: PreTrainedModel, ids: Tensor, answer: Sequence[int], engine: Engine, ranks: Heuristic, kept: int
) -> Tensor:
    """(answer tokens, vocabulary) logits from which the answer's tokens would be chosen after an engine's prefill.

    Args:
        model: with eager attention.
        ids: (tokens,) of the prompt.
        answer: that is given.
        engine: resolved; layerwise or restart.
        ranks: for the engine.
        kept: tokens.
    """
    tokens, fed = len(ids), torch.tensor(list(answer)[:-1], dtype=torch.int64)
    select: int = engine.select_layer  # type: ignore[attr-defined]
    ranking, heads = ranking_of(model, ids, ranks, select)
    places = best(ranking, kept, engine.window)
    if isinstance(engine, Restart):
        short = torch.cat([ids[places], fed])
        return forward(model, short, torch.arange(len(short)))[kept - 1 :]
    assert isinstance(engine, Layerwise)
    whole = torch.cat([ids, fed])
    size, groups = len(whole), model.config.num_attention_heads

    def hides(layer: int) -> Tensor:
        hidden = torch.zeros(groups, size, size, dtype=torch.bool)
        if layer > select:
            hidden[:, :, [token for token in range(tokens) if token not in places]] = True
        elif layer >= engine.min_layer:
            each = heads[layer].repeat_interleave(groups // len(heads[layer]), dim=0)
            for head, scores in enumerate(each):
                stays = best(scores, kept, engine.window)
                hidden[head, tokens:, [token for token in range(tokens) if token not in stays]] = True
        return hidden

    return forward(model, whole, torch.arange(size), hides)[tokens - 1 :]


def fidelity(full: Tensor, pruned: Tensor, answer: Sequence[int]) -> dict[str, float]:
    """The measures in double precision, token by token."""
    kl, lost, own, same = [], [], [], []
    for token, before, after in zip(answer, full.double().numpy(), pruned.double().numpy(), strict=True):
        p, q = (np.exp(each - each.max()) / np.exp(each - each.max()).sum() for each in (before, after))
        own.append(np.log(q[token]))
        lost.append(np.log(p[token]) - np.log(q[token]))
        kl.append(float((p * (np.log(p) - np.log(q))).sum()))
        same.append(bool(p.argmax() == q.argmax()))
    found = {"logprob": own, "loss": lost, "loss_clipped": np.clip(lost, -5, 5), "kl": kl, "same_token": same}
    departure = float(same.index(False) if False in same else len(same))
    return {name: float(np.mean(each)) for name, each in found.items()} | {"departure": departure}
