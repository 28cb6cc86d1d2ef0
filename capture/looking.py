"""Two looks at a loaded model before a run: does it answer as it does unwatched, and is its attention what capture computes?"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tokenrank.capture.attention import ROUTES, Visitor, own_function
from tokenrank.capture.cache import reserved_cache
from tokenrank.capture.captured_layer import captured_layer
from tokenrank.capture.feeding import input_device, last_logits, takes_positions
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.model_masks import MaskCheck
from tokenrank.capture.rules import AttentionRules, NotCaptured

LOOKED = "tokenrank_looked"  # attribute of a model that passed: its layers then, and the tokens of the longest look
SHORT = 24  # tokens of the first look
BEYOND = 8  # tokens of the second look beyond the longest window or top-k that the prompts pass
REACH = re.compile("window|top_?k|chunk|block|local|stride")  # settings of a config that may limit what a query sees
ROWS = 4  # queries at the end whose attention is compared
TOLERANCE = torch.finfo(torch.float32).eps ** 0.5  # of attention's output in float32, as a share of the largest value


def look(model: PreTrainedModel, tokens: int) -> None:
    """Reads random tokens with and without a visitor, once few and, where the config limits what a query sees, once many.

    The cost is that of four prefills of SHORT tokens and, for a model with windows or a top-k below ``tokens``, of four more a little
    longer than the longest of these. A model that has passed is looked at again only if a longer look is needed, or its config or
    attention implementation has changed.

    Args:
        model: a loaded decoder of transformers.
        tokens: the longest prompt that will be read.

    Raises:
        ValueError: it cannot be captured (see ``model_layers``), its logits change when a visitor is called or its cache is replaced,
            or a layer's attention is not what its queries, keys and rules give.
    """
    layers = model_layers(model)
    tokens = max(tokens, 2)  # a prompt and a token after it
    short = min(SHORT, tokens)
    beyond = [reach + BEYOND for reach in (*layers.windows.values(), *_reaches(model)) if reach < tokens]
    longest = max(short, min(max(beyond, default=0), tokens))
    found, passed = getattr(model, LOOKED, (layers, 0))
    if found is layers and longest <= passed:
        return
    for length in sorted({short, longest}):
        _look_at(model, _random_ids(model, length))
    setattr(model, LOOKED, (layers, longest))


@torch.inference_mode()
def _look_at(model: PreTrainedModel, ids: Tensor) -> None:
    prefilled = _logits(model, ids, watched=True)
    with _unwatched(model):
        plain = _logits(model, ids, watched=False)
        if not _equal(prefilled[0], plain[0]):  # some kernels do not repeat themselves to the last bit
            noise = (_logits(model, ids, watched=False)[0] - plain[0]).abs().max()
            if (prefilled[0] - plain[0]).abs().max() > 2 * noise:
                _refuse(model, len(ids), "when its attention is captured", prefilled[0], plain[0])
    if (prefilled[1] - plain[1]).abs().max() > torch.finfo(model.dtype).eps ** 0.5 * plain[1].abs().max():
        _refuse(model, len(ids), "with a cache that holds every token", prefilled[1], plain[1])


def _refuse(model: PreTrainedModel, tokens: int, when: str, found: Tensor, plain: Tensor) -> None:
    raise NotCaptured(
        f"{type(model).__name__} answers differently {when}: after {tokens} tokens a logit differs by "
        f"{float((found - plain).abs().max()):.2g} of {float(plain.abs().max()):.2g}, so its rankings would not be those of the model"
    )


def _equal(one: Tensor, other: Tensor) -> bool:
    return torch.equal(one.nan_to_num(), other.nan_to_num())


def _logits(model: PreTrainedModel, ids: Tensor, *, watched: bool) -> tuple[Tensor, Tensor]:
    """Logits after all but the last token, and after the last, which is fed alone; (vocabulary,) float32 each.

    Watched with the cache and the calls of a reading, otherwise with the model's own cache.
    """
    positions = torch.arange(len(ids), device=ids.device)
    if watched:
        cache = reserved_cache(model.config, len(ids))
        masks = MaskCheck(model)
        first = last_logits(model, ids[:-1], positions[:-1], cache, on_attention=_compared(model, ids[:-1], masks))
        masks.finish()
        return first.float(), last_logits(model, ids[-1:], positions[-1:], cache).float()
    own = {"position_ids": positions[None]} if takes_positions(model) else {}  # some models count from 0 at each call

    def said(start: int, stop: int, cache: Any) -> Any:
        named = {name: each[:, start:stop] for name, each in own.items()}
        return model(input_ids=ids[None, start:stop], past_key_values=cache, use_cache=True, logits_to_keep=1, **named)

    first = said(0, len(ids) - 1, None)
    cached = first.get("past_key_values")
    last = said(0 if cached is None else len(ids) - 1, len(ids), cached)
    return first.logits[0, -1].float(), last.logits[0, -1].float()


def _compared(model: PreTrainedModel, ids: Tensor, masks: MaskCheck) -> Visitor:
    """A visitor that checks the mask and computes the last queries' attention twice: by the layer's rules and by the model's own function."""
    route, name = str(model.config._attn_implementation), type(model).__name__

    def visitor(module: nn.Module, query: Tensor, key: Tensor, value: Tensor, rules: AttentionRules) -> None:
        layer = captured_layer(ids, module, query, key, value, rules)
        masks.add(layer.index, query, key, rules)
        rows = layer.attention_block(max(0, len(ids) - ROWS), len(ids))
        values = value[0].float()
        ours = rows @ values.repeat_interleave(len(rows) // len(values), dim=0)  # (heads, rows, dim)
        theirs = _own_output(route, module, query, key, value, rules)[:, -rows.shape[1] :]
        furthest, largest = float((ours - theirs).abs().max()), float(values.abs().max())
        if furthest > TOLERANCE * largest:
            raise NotCaptured(
                f"attention in layer {layer.index} of {name} is more than its queries, keys and known rules: its output differs "
                f"from what they give by {furthest:.2g} of {largest:.2g}, so it cannot be ranked"
            )

    return visitor


def _own_output(
    route: str, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, rules: AttentionRules
) -> Tensor:
    """(heads, queries, dim) float32, of the last queries at least, by the function of the model's implementation."""
    mask = rules.mask
    if mask is not None:
        query, mask = query[:, :, -ROWS:], mask[:, :, -ROWS:]
        mask = mask if mask.dtype == torch.bool else mask.float()
    known = {"softcap": rules.softcap, "s_aux": rules.sinks}
    given: dict[str, Any] = {name: each for name, each in known.items() if each is not None}
    output, _ = own_function(route, module)(
        module, query.float(), key.float(), value.float(), mask, dropout=0.0, scaling=rules.scaling, **given
    )
    return output[0].transpose(0, 1).float()


@contextmanager
def _unwatched(model: PreTrainedModel) -> Iterator[None]:
    """Within the block the model has the attention implementation that it was loaded with."""
    route, text = str(model.config._attn_implementation), model.config.get_text_config(decoder=True)
    own = next(own for own, ours in ROUTES.items() if ours == route)
    parts = [name for name in model.config.sub_configs or {} if getattr(model.config, name, None) is text]
    model.set_attn_implementation(dict.fromkeys(["", *parts], own))  # parts for images or sound may not have it
    try:
        yield
    finally:
        model.set_attn_implementation(route)


def _random_ids(model: PreTrainedModel, tokens: int) -> Tensor:
    vocabulary = next(model.get_input_embeddings().parameters()).shape[0]
    ids = torch.randint(vocabulary, (tokens,), generator=torch.Generator().manual_seed(0))
    return ids.to(input_device(model))


def _reaches(model: PreTrainedModel) -> Iterator[int]:
    """All whole numbers of the config that may limit what a query sees."""

    def within(value: Any, named: bool) -> Iterator[int]:
        if isinstance(value, Mapping):
            for name, each in value.items():
                yield from within(each, named or bool(REACH.search(str(name))))
        elif isinstance(value, list | tuple):
            for each in value:
                yield from within(each, named)
        elif named and type(value) is int:
            yield value

    yield from within(model.config.get_text_config(decoder=True).to_dict(), named=False)
