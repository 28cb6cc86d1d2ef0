"""From a call of a model's attention to the layer that heuristics see."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from tokenrank.capture.layer import AttentionCall, AttentionLayer


class Calls:
    """What attention modules were called with, for methods written against modules; empty unless ``noted`` is entered."""

    def __init__(self) -> None:
        self.called: dict[nn.Module, tuple[Tensor, dict[str, Any]]] = {}  # until their attention is visited

    @contextmanager
    def noted(self, model: nn.Module) -> Iterator[None]:
        """While it lasts, what attention modules are called with is kept until ``of`` asks for it."""

        def note(module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
            states = named["hidden_states"] if "hidden_states" in named else arguments[0]
            self.called[module] = (states, {name: value for name, value in named.items() if name != "hidden_states"})

        numbered = [module for module in model.modules() if hasattr(module, "layer_idx")]
        handles = [module.register_forward_pre_hook(note, with_kwargs=True) for module in numbered]
        try:
            yield
        finally:
            self.called.clear()
            for handle in handles:
                handle.remove()

    def of(self, module: nn.Module, value: Tensor) -> AttentionCall | None:
        """The call that this module is in, and forgets it; None where none was noted."""
        called = self.called.pop(module, None)
        return AttentionCall(module, called[0], value, called[1]) if called else None


def layer_seen(
    input_ids: Tensor,
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    rules: dict[str, Any],
    call: AttentionCall | None = None,
    shared_rows: int = 0,
) -> AttentionLayer:
    """The layer of one attention call of a whole prompt: query (1, heads, tokens, dim), key (1, kv_heads, tokens, dim)."""
    return AttentionLayer(
        index=int(module.layer_idx),  # type: ignore[arg-type]
        queries=query[0],
        keys=key[0],  # a view of the cache, so it costs nothing to keep
        scale=float(rules["scaling"]),
        input_ids=input_ids,
        softcap=rules.get("softcap"),
        sliding_window=rules.get("sliding_window"),
        sinks=rules.get("s_aux"),
        call=call,
        shared_rows=shared_rows,
    )
