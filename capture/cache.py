"""A key-value cache that never copies what it already holds."""

import copy
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedConfig
from transformers.cache_utils import (
    Cache,
    DynamicCache,
    DynamicLayer,
    DynamicSlidingWindowLayer,
    LinearAttentionAndFullAttentionLayer,
    LinearAttentionAndSlidingWindowAttentionLayer,
    LinearAttentionLayer,
)

PER_TOKEN = ("keys", "values")  # of a layer's attributes


class _ReservedLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """A layer that allocates its whole capacity at the start, so that a new token is written in place."""

    def __init__(self, capacity: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.capacity = capacity

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Allocates ``capacity`` tokens; holds none yet."""
        self.dtype, self.device = key_states.dtype, key_states.device
        self._keys, self._values = (
            states.new_empty((*states.shape[:-2], self.capacity, states.shape[-1]))
            for states in (key_states, value_states)
        )
        self.keys, self.values = self._keys[..., :0, :], self._values[..., :0, :]
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *_args: Any, **_kwargs: Any) -> tuple[Tensor, Tensor]:
        """Appends along the token axis; returns views of everything held, (batch, kv_heads, tokens, dim).

        Raises:
            ValueError: more tokens than the capacity.
        """
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.get_seq_length()
        stop = start + key_states.shape[-2]
        if stop > self.capacity:
            raise ValueError(f"the cache has room for {self.capacity} tokens, {stop} were to be held")
        self._keys[..., start:stop, :] = key_states
        self._values[..., start:stop, :] = value_states
        self.keys, self.values = self._keys[..., :stop, :], self._values[..., :stop, :]
        return self.keys, self.values

    def hold(self, keys: Tensor, values: Tensor) -> None:
        """Replaces what is held by these tokens, (1, kv_heads, tokens, dim); as many more can be added as before."""
        self.capacity += keys.shape[-2] - self.get_seq_length()
        self.lazy_initialization(keys, values)
        self.update(keys, values)

    def back_to(self, tokens: int) -> None:
        """Forgets all but the first ``tokens``."""
        self.keys, self.values = self._keys[..., :tokens, :], self._values[..., :tokens, :]


def can_go_back(cache: Cache) -> bool:
    """Whether ``back_to`` can forget tokens: not where a layer holds a state that every token has changed."""
    return all(type(layer) is _ReservedLayer for layer in cache.layers)


def back_to(cache: Cache, tokens: int) -> None:
    """Forgets all but the first ``tokens`` that each layer holds; what they hold is as if the others had never been fed.

    Raises:
        ValueError: a layer cannot forget (see ``can_go_back``).
    """
    if not can_go_back(cache):
        raise ValueError("the cache has layers with a state of all tokens together, which cannot forget some of them")
    for layer in cache.layers:
        held: Any = layer
        if held.is_initialized:
            held.back_to(tokens)


class Snapshot:
    """What a cache holds at one moment."""

    def __init__(self, cache: Cache) -> None:
        """Of the cache as it is now."""
        self._layers = [_as_it_is(layer) for layer in cache.layers]

    def restore(self, cache: Cache) -> None:
        """Puts the cache back, of which this is a snapshot; it can be put back again later."""
        cache.layers[:] = [_as_it_is(layer) for layer in self._layers]


def _as_it_is(layer: Any) -> Any:
    """A layer of a cache that tokens fed to the other one later do not change.

    Keys and values are not copied, as later tokens only follow them; states of all tokens together are. Only one of the two may be fed
    where a layer is reserved: their new tokens would have the same place.
    """
    own = copy.copy(layer)
    if type(layer) is not _ReservedLayer:
        vars(own).update({name: copy.deepcopy(each) for name, each in vars(layer).items() if name not in PER_TOKEN})
    return own


def cached_heads(cache: Cache, layer: int) -> int:
    """Heads of the keys and values that a layer's cache holds.

    They are fewer than the key heads of the attention call where the model caches something from which these are made: latent
    attention (MLA) caches one latent head for all of them.

    Raises:
        ValueError: the layer holds nothing.
    """
    return heads_held(cache.layers[layer], layer)


def heads_held(held: Any, layer: int) -> int:
    """As ``cached_heads``, of one layer of a cache."""
    if getattr(held, "keys", None) is None:
        raise ValueError(f"the cache holds nothing of layer {layer}, so it cannot be compressed")
    return int(held.keys.shape[1])


def keep_in_cache(cache: Cache, layer: int, rows: Tensor) -> None:
    """Keeps only these tokens in a layer's cache, per head of the cache; the attention call under way still sees all.

    Args:
        cache: of one prompt.
        layer: number of the layer; it must hold tokens.
        rows: (cached_heads, kept) int64, ascending: the kept tokens' numbers among those held.

    Raises:
        ValueError: there are rows for another number of heads, or the layer caches more for each token than keys and values.
    """
    held: Any = cache.layers[layer]
    if len(rows) != cached_heads(cache, layer):
        raise ValueError(
            f"tokens are kept for {len(rows)} heads of layer {layer}, must be for the {cached_heads(cache, layer)} that are cached"
        )
    reserved = type(held) is _ReservedLayer
    if not reserved and not isinstance(held, LinearAttentionLayer):
        raise ValueError(
            f"layer {layer} is cached in a {type(held).__name__}, of which it is not known how to keep some tokens only: "
            "use an engine that compresses no cache"
        )
    keys, values = _kept(held, rows)
    if reserved:
        held.hold(keys, values)
    else:  # a layer that is more than attention: transformers' own, which grows by copying; its states are not per token
        held.keys, held.values = keys, values


def _kept(held: Any, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and values of some of the tokens that a layer holds, (1, heads, kept, dim) each."""
    heads = torch.arange(len(rows), device=rows.device)[:, None]
    return held.keys[:, heads, rows], held.values[:, heads, rows]


def layer_copy(cache: Cache, layer: int) -> Any:
    """A layer of a cache as it is now, to be read only: tokens that are fed later do not change it. Keys and values are not copied."""
    return _as_it_is(cache.layers[layer])


def hold_copy(cache: Cache, layer: int, source: Any, rows: Tensor | None, room: int) -> None:
    """Makes a layer that has read nothing hold what another cache's layer holds, or only some of its tokens.

    Args:
        cache: of one prompt.
        layer: number of the layer.
        source: as ``layer_copy`` gave it; it stays as it is.
        rows: (cached heads, kept) int64, ascending: the kept tokens' numbers among those held; None: all.
        room: at most so many tokens can be added.

    Raises:
        ValueError: as ``keep_in_cache``.
    """
    if type(source) is _ReservedLayer:
        own: Any = cache.layers[layer]
        own.capacity = room
        if not source.is_initialized:  # of cross attention without an image: it holds nothing
            return
        own.hold(source.keys, source.values) if rows is None else own.hold(*_kept(source, rows))
        return
    cache.layers[layer] = _as_it_is(source)  # it grows by copying
    if rows is not None:
        keep_in_cache(cache, layer, rows)


def take_from_cache(cache: Cache, layer: int) -> tuple[Tensor, Tensor, int]:
    """Hands over what a layer holds; it is empty afterwards and has no room.

    Args:
        cache: one that can go back (see ``can_go_back``).
        layer: number of the layer.

    Returns:
        Keys and values, (1, cached heads, tokens, dim) each, and how many more tokens the layer had room for.

    Raises:
        ValueError: the layer holds nothing.
    """
    cached_heads(cache, layer)
    held: Any = cache.layers[layer]
    cache.layers[layer] = _ReservedLayer(capacity=0)
    return held.keys, held.values, held.capacity - held.get_seq_length()


def reserve_less(cache: Cache, tokens: int) -> None:
    """Lowers unfilled layers' capacity by the tokens that will not reach them."""
    for layer in cache.layers:
        if type(layer) is _ReservedLayer and not layer.is_initialized:
            layer.capacity -= tokens


def reserved_cache(config: PreTrainedConfig, capacity: int) -> Cache:
    """A cache for a model of this config and at most ``capacity`` tokens.

    transformers' dynamic cache copies everything it holds for each new token; this one does not. Sliding-window layers
    keep all their tokens too, so that the oracle can read any of them (the model's mask still hides what is outside the
    window). Layers that are more than attention (linear attention, state spaces) keep transformers' own cache.
    """
    return Cache(layers=[_keeping_all(layer, capacity) for layer in DynamicCache(config=config).layers])


def _keeping_all(layer: Any, capacity: int) -> Any:
    """A layer of transformers' own cache, or what is used in its place."""
    if type(layer) in (DynamicLayer, DynamicSlidingWindowLayer):
        return _ReservedLayer(capacity)
    if type(layer) is LinearAttentionAndSlidingWindowAttentionLayer:
        return LinearAttentionAndFullAttentionLayer(layer.number_of_states)
    return layer
