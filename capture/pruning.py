"""A prompt that goes through a model and loses tokens on its way: what every pruned prefill is made of.

No model class is patched. Attention is seen, and masked where tokens are missing, through the registered attention function;
hidden states lose their rows in ordinary hooks in front of the decoder layers, together with whatever else the model
hands to a layer for each token.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tokenrank.capture.attention import FUSED, as_mask, watch
from tokenrank.capture.cache import keep_in_cache, reserve_less, reserved_cache
from tokenrank.capture.feeding import input_device, last_logits, takes_positions
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.layers import decoder_layers
from tokenrank.capture.seeing import Calls, layer_seen
from tokenrank.capture.stopwatch import Stopwatch


@dataclass(frozen=True)
class Keep:
    """What stays after a layer's attention; None: everything."""

    cached: Tensor | None = None  # (kv_heads, kept) places in the prompt, ascending: of this layer's keys and values
    onward: Tensor | None = (
        None  # (kept,) places in the prompt, ascending, the last token among them: for the later layers
    )


Visit = Callable[[AttentionLayer], Keep]


class PrunedRun:
    """One prompt in a model: a prefill during which a visitor says what stays, then decoding, token by token."""

    def __init__(
        self,
        model: PreTrainedModel,
        input_ids: Tensor,
        *,
        room: int,
        positions: Tensor | None = None,
        clock: bool = False,
    ) -> None:
        """Nothing runs yet.

        Args:
            model: a decoder of transformers.
            input_ids: (tokens,) int64; at least one.
            room: tokens that can be decoded after the prompt.
            positions: (tokens,) int64, ascending: where the tokens stand, if not at 0, 1, 2, ...
            clock: make the seconds of ``choosing`` exact on a GPU, where the run then waits for each layer.

        Raises:
            ValueError: an empty prompt, or a model that cannot be watched or told positions.
        """
        if len(input_ids) == 0:
            raise ValueError("the prompt is empty, at least one token is needed")
        watch(model)
        if not takes_positions(model):
            raise ValueError(
                f"{type(model).__name__} takes no positions, so it cannot be run on some of a prompt's tokens"
            )
        self.model = model
        self.device = input_device(model)
        self.input_ids = input_ids.to(self.device)
        self.cache = reserved_cache(model.config, len(input_ids) + room)
        ordinary = torch.arange(len(input_ids), device=self.device)
        self.now = (
            ordinary if positions is None else positions.to(self.device)
        )  # where what is fed stands, at this layer
        self._gaps = positions is not None and not torch.equal(self.now, ordinary)
        self._places: dict[int, Tensor] = {}  # of windowed layers: (kv_heads or 1, held) positions in the cache
        self._windows: dict[int, int] = {}  # tokens, of windowed layers
        self._onward: Tensor | None = None
        self._masks: dict[tuple[int | None, torch.device], Tensor | None] = {}  # of this pass, by window
        self.choosing = Stopwatch(self.device, exact=clock)
        self._calls = Calls()
        self._fused = model.config._attn_implementation == FUSED

    @torch.inference_mode()
    def prefill(self, visit: Visit | None = None, *, shared_rows: int = 0, with_calls: bool = False) -> Tensor:
        """Reads the prompt; ``visit`` sees each attention layer until it has said what goes on to the later layers.

        Args:
            visit: None: everything stays.
            shared_rows: rows of window attention that several readers will ask for (see AttentionLayer).
            with_calls: the layers come with the call of the model's module that they were seen in.

        Returns:
            (vocabulary,) logits of the first answer token.
        """
        rows = min(shared_rows, len(self.input_ids))
        whole = len(self.input_ids)

        def seen(module: nn.Module, query: Tensor, key: Tensor, value: Tensor, rules: dict[str, Any]) -> None:
            call = self._calls.of(module, value)
            number = int(module.layer_idx)  # type: ignore[arg-type]
            if rules.get("sliding_window") is not None:
                self._places[number], self._windows[number] = self.now[None], rules["sliding_window"]
            if visit is None or query.shape[2] != whole or self._onward is not None:
                return
            with self.choosing:
                keep = visit(layer_seen(self.input_ids, module, query, key, rules, call, rows))
                if keep.cached is not None:
                    keep_in_cache(self.cache, number, keep.cached)
                    if number in self._places:
                        self._places[number] = self.now[keep.cached.to(self.device)]
                self._onward = keep.onward

        with self._thinning(), self._calls.noted(self.model) if with_calls else nullcontext():
            logits = last_logits(
                self.model, self.input_ids, self.now, self.cache, on_attention=seen, mask_by=self._mask
            )
        self._gaps = True
        return logits

    @torch.inference_mode()
    def decode(self, token: int, position: int) -> Tensor:
        """Feeds one token of the answer; returns (vocabulary,) logits of the next."""
        self.now = torch.tensor([position], device=self.device)
        self._masks = {}

        def seen(module: nn.Module, *_: Any) -> None:
            number = int(module.layer_idx)  # type: ignore[arg-type]
            if number in self._places:
                held = self._places[number]
                self._places[number] = torch.cat([held, self.now.expand(len(held), 1)], dim=1)

        ids = torch.tensor([token], device=self.device)
        return last_logits(self.model, ids, self.now, self.cache, on_attention=seen, mask_by=self._mask)

    def kv_bytes(self) -> int:
        """Bytes of keys and values held. Of a windowed layer only those that the next token can still see are counted."""
        total = 0
        layers: list[Any] = self.cache.layers
        for number, layer in enumerate(layers):
            if getattr(layer, "keys", None) is None:
                continue  # a layer without attention
            heads, held = layer.keys.shape[1:3]
            seen = heads * held
            if number in self._windows:
                reach = self._places[number] > self.now[-1] + 1 - self._windows[number]
                seen = int(reach.expand(heads, -1).sum())
            total += seen * (layer.keys.nbytes + layer.values.nbytes) // (heads * held)
        return total

    def _mask(
        self, module: nn.Module, query: Tensor, _key: Tensor, given: Tensor | None, rules: dict[str, Any]
    ) -> Tensor | None:
        """The model's own mask as long as no token is missing, then one made of the positions that are left."""
        window = rules.get("sliding_window")
        if not self._gaps:
            return given
        key = (window, query.device)
        if query.shape[2] == 1 or key not in self._masks:
            self._masks[key] = as_mask(self._visible(module, query, window), query, fused=self._fused)
        return self._masks[key]

    def _visible(self, module: nn.Module, query: Tensor, window: int | None) -> Tensor | None:
        if window is None:
            return None
        places = self._places[int(module.layer_idx)][:, None].to(query.device)  # type: ignore[arg-type]
        now = self.now[:, None].to(query.device)
        visible = (places <= now) & (places > now - window)  # (kv_heads or 1, queries, held)
        return visible if len(visible) == 1 else visible.repeat_interleave(query.shape[1] // len(visible), dim=0)

    @contextmanager
    def _thinning(self) -> Iterator[None]:
        """While it lasts, decoder layers are given only the tokens that go on."""
        layers = decoder_layers(self.model)
        handles = [layer.register_forward_pre_hook(self._thin, with_kwargs=True) for layer in layers]
        handles.append(layers[-1].register_forward_hook(self._restore))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _thin(self, _layer: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Takes the rows of the dropped tokens out of all that a layer is given."""
        if self._onward is None:
            return None
        if len(self.now) == len(self.input_ids):
            reserve_less(self.cache, len(self.now) - len(self._onward))
            self.now, self._gaps = self.now[self._onward], True
        return tuple(map(self._thinned, given)), {name: self._thinned(value) for name, value in named.items()}

    def _thinned(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(self._thinned, value))
        whole = len(self.input_ids)  # masks, which have four axes, are replaced elsewhere
        if (
            self._onward is None
            or not isinstance(value, Tensor)
            or value.dim() not in (2, 3)
            or value.shape[1] != whole
        ):
            return value
        return value[:, self._onward.to(value.device)]

    def _restore(self, _layer: nn.Module, _given: Any, output: Any) -> Any:
        """Puts empty rows in front after the last layer: some models insist on as many as they were given. Only the last is read."""
        states = output[0] if isinstance(output, tuple) else output
        missing = len(self.input_ids) - states.shape[1]
        if missing == 0:
            return output
        whole = nn.functional.pad(states, (0, 0, missing, 0))
        return (whole, *output[1:]) if isinstance(output, tuple) else whole
