"""One prefill of a prompt for many pruned ones: what its layers hold and give on, and what they cost."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import Cache

from tokenrank.capture.cache import heads_held, layer_copy
from tokenrank.capture.decoder_layers import decoder_layers
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.needs import Needs
from tokenrank.capture.operations import END, Marks, counted, counted_once

log = logging.getLogger("tokenrank")


class LayerReader(ABC):
    """Reads the attention layers of a prefill as they pass; an error of one reader does not stop the others."""

    needs: Needs  # what is read of a layer beyond queries and keys
    operations: int = 0  # floating-point operations of its reading
    error: Exception | None = None  # that ended its reading

    @abstractmethod
    def visit(self, layer: AttentionLayer) -> None:
        """Called with each attention layer, in order. Its attention is not shared with other readers."""


@dataclass(frozen=True)
class Half:
    """Layers behind a select layer, run on kept tokens."""

    run: Any  # PrunedRun that holds them
    logits: Tensor  # (vocabulary,) of the first answer token
    operations: int


class SharedPrefill:
    """What a prefill of a whole prompt leaves for others that are the same up to some layer.

    Operations are those of the model alone, without the readers'.
    """

    def __init__(self, model: PreTrainedModel, readers: Sequence[LayerReader], after: Collection[int]) -> None:
        """Nothing runs yet.

        Args:
            model: a decoder of transformers.
            readers: of the layers.
            after: numbers of the layers whose output is kept.
        """
        self.model, self.readers, self.after = model, readers, frozenset(after)
        self.windows: dict[int, int | None] = {}  # attention layer -> its sliding window in tokens, if it has one
        self.layers: dict[int, AttentionLayer] = {}  # without queries, values and what is in the keys
        self.halves: dict[tuple[int, ...], Half] = {}  # select layer and kept places -> what was run on them
        self._logits: Tensor | None = None
        self._outputs: dict[int, Any] = {}  # layer -> its output, without hidden states where these are not kept
        self._held: list[Any] = []  # copies of the cache's layers
        self._marks: Marks | None = None

    @property
    def needs(self) -> Needs:
        """What all readers together are given."""
        return Needs.together(reader.needs for reader in self.readers)

    @property
    def operations(self) -> int:
        """Of the whole prefill."""
        return self._counted[END]

    def operations_before_attention(self, layer: int) -> int:
        """Up to the queries and keys of an attention layer."""
        return self._counted["queries and keys", layer]

    def operations_after(self, layer: int) -> int:
        """Up to the end of a layer."""
        return self._counted["end", layer]

    @contextmanager
    def recorded(self, tokens: int) -> Iterator[None]:
        """Within the block the model reads the prompt, of so many tokens, with ``visit`` called at each attention layer."""
        last = max(self.after, default=-1)

        def ended(number: int, output: Any) -> None:
            self._counted.mark(("end", number))
            if number in self.after:
                self._outputs[number] = output
            elif number < last:
                self._outputs[number] = output[1:] if isinstance(output, tuple) else None

        def hook(number: int) -> Any:
            return lambda _module, _given, output: ended(number, output)

        layers = decoder_layers(self.model)
        handles = [layer.register_forward_hook(hook(number)) for number, layer in enumerate(layers)]
        try:
            with counted_once(self.model, ("prefill", tokens)) as self._marks:
                yield
        finally:
            for handle in handles:
                handle.remove()

    def visit(self, layer: AttentionLayer) -> None:
        """Lets every reader read a layer."""
        self._counted.mark(("queries and keys", layer.index))
        self.windows[layer.index] = layer.sliding_window
        self.layers[layer.index] = _emptied(layer)
        for reader in self.readers:
            self._read(reader, layer)

    def read_by(self, reader: LayerReader) -> None:
        """Lets a further reader, which needs no queries and keys, read the layers after the prompt was read."""
        for layer in self.layers.values():
            self._read(reader, layer)

    def take(self, cache: Cache, logits: Tensor) -> None:
        """Keeps what the cache holds now, and the logits of the first answer token."""
        self._held = [layer_copy(cache, layer) for layer in range(len(cache.layers))]
        self._logits = logits

    def held(self, layer: int) -> Any:
        """What a layer's cache held after the prompt: to be copied from, never changed."""
        return self._held[layer]

    def output(self, layer: int, select_layer: int) -> Any:
        """What ``layer``, at most ``select_layer``, would give on if its hidden states were those behind ``select_layer``."""
        kept = self._outputs[select_layer]
        if not isinstance(kept, tuple):
            return kept
        own = self._outputs[layer]
        return kept if layer == select_layer else (kept[0], *(own[1:] if layer in self.after else own))

    @property
    def total_layers(self) -> int:
        """Decoder layers of the model."""
        return len(self._held)

    @property
    def first_logits(self) -> Tensor:
        """(vocabulary,) logits of the first answer token; raises ValueError before the prompt was read."""
        if self._logits is None:
            raise ValueError("the shared prefill has not read its prompt")
        return self._logits

    def cached_heads(self, layer: int) -> int:
        """Heads of the keys and values that a layer's cache held."""
        return heads_held(self._held[layer], layer)

    def forget_halves(self) -> None:
        """No later run copies from those that were made so far: they may now be changed."""
        self.halves.clear()

    @property
    def _counted(self) -> Marks:
        if self._marks is None:
            raise ValueError("the shared prefill has not read its prompt")
        return self._marks

    def _read(self, reader: LayerReader, layer: AttentionLayer) -> None:
        if reader.error is not None:
            return
        with counted() as spent:
            try:
                reader.visit(replace(layer, shared_rows=min(reader.needs.window, layer.tokens)))
            except Exception as error:  # whatever it was: the other readers are still worth their reading
                log.debug("reading layer %d", layer.index, exc_info=error)
                reader.error = error.with_traceback(None)  # its frames hold the layer
        reader.operations += spent.total
        self._counted.leave_out(spent.total)


def _emptied(layer: AttentionLayer) -> AttentionLayer:
    keys = layer.keys.new_empty((*layer.keys.shape[:2], 0))
    return replace(
        layer,
        queries=layer.queries.new_empty((len(layer.queries), 0, 0)),
        keys=keys,
        values=None,
        call=None,
        shared_rows=0,
    )
