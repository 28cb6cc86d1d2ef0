"""From one call of the registered attention function to the AttentionLayer that heuristics read."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from tokenrank.capture.layer import AttentionCall, AttentionLayer
from tokenrank.capture.needs import NOTHING, Needs
from tokenrank.capture.rules import AttentionRules, NotCaptured, layer_number


class ModuleCalls:
    """The arguments that attention modules were called with, for methods written against modules."""

    def __init__(self) -> None:
        self._called: dict[nn.Module, tuple[Tensor, dict[str, Any]]] = {}  # until their attention function is called

    @contextmanager
    def recorded(self, model: nn.Module, needs: Needs) -> Iterator[None]:
        """Within the block, each attention module's arguments are held until ``take`` asks for them; only if ``needs.call``."""

        def record(module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
            states = named["hidden_states"] if "hidden_states" in named else arguments[0]
            self._called[module] = (states, {name: value for name, value in named.items() if name != "hidden_states"})

        numbered = [module for module in model.modules() if needs.call and hasattr(module, "layer_idx")]
        handles = [module.register_forward_pre_hook(record, with_kwargs=True) for module in numbered]
        try:
            yield
        finally:
            self._called.clear()
            for handle in handles:
                handle.remove()

    def take(self, module: nn.Module, value: Tensor) -> AttentionCall | None:
        """The call of this module that is under way, which is then forgotten; None where none was recorded."""
        called = self._called.pop(module, None)
        return AttentionCall(module, called[0], value, called[1]) if called else None


def captured_layer(
    input_ids: Tensor,
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    rules: AttentionRules,
    *,
    needs: Needs = NOTHING,
    call: AttentionCall | None = None,
    positions: Tensor | None = None,
) -> AttentionLayer:
    """The layer of one attention call over a whole prompt, or over what is left of it.

    Args:
        input_ids: (tokens,) the tokens that the layer processes.
        module: the attention module, with its ``layer_idx``.
        query: (1, heads, tokens, dim).
        key: (1, kv_heads, tokens, dim).
        value: (1, kv_heads, tokens, value dim).
        rules: of the call.
        needs: what is read of the layer beyond queries and keys.
        call: of the module, if it was recorded.
        positions: (tokens,) of the tokens, if they are not 0, 1, 2, ...

    Raises:
        NotCaptured: the module has no layer number, or there is not one query and one key for each token.
    """
    index = layer_number(module)
    if query.shape[2] != len(input_ids) or key.shape[2] != len(input_ids):
        raise NotCaptured(
            f"layer {index} has {query.shape[2]} queries and {key.shape[2]} keys for {len(input_ids)} tokens, must have as many: "
            "its attention is not to single tokens"
        )
    return AttentionLayer(
        index=index,
        queries=query[0],
        keys=key[0],  # a view of the cache, so it costs nothing to keep
        scale=rules.scaling,
        input_ids=input_ids,
        softcap=rules.softcap,
        sliding_window=rules.sliding_window,
        sinks=rules.sinks,
        values=value[0] if needs.values else None,
        positions=positions,
        call=call,
        shared_rows=min(needs.window, len(input_ids)),
    )
