"""A decoder layer's arguments without the tokens that were dropped; which of them hold something for each token is known by name."""

import inspect
from typing import Any

from torch import Tensor, nn

# name -> the axis of the tokens. All of these come from the model, for the whole prompt.
TOKEN_AXES = {
    "position_embeddings": -2,  # (1, tokens, dim), alone or as cosines and sines; of several layer types in a dict
    "position_ids": -1,  # (1, tokens), or (kinds of position, 1, tokens)
    "attention_scaling": -2,  # (1, 1, tokens, 1): a factor of each query
    "cache_position": -1,  # (tokens,)
    "input_ids": -1,  # (1, tokens)
    "per_layer_input": 1,  # (1, tokens, dim)
    "original_hidden_states": 1,  # (1, tokens, hidden): the embeddings, which some hybrids read again
}
MASKS = ("attention_mask", "causal_mask", "mamba_attention_mask", "conv_mask")
PADDING_AXES, ATTENTION_AXES = 2, 4  # (1, tokens); (1, heads or 1, tokens, tokens)
STATES_AXIS = 1  # hidden states are (1, tokens, hidden), or (1, tokens, streams, hidden)


def thinned(
    layer: nn.Module,
    given: tuple[Any, ...],
    named: dict[str, Any],
    *,
    whole: int,
    places: Tensor,
    rows: Tensor | None,
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A layer's arguments without the dropped tokens.

    Hidden states come from the layer before, so only tokens that go at this layer are taken out; all else that holds something
    for each token comes from the model, for the whole prompt. Which arguments these are is decided by name, never by a length:
    any tensor may happen to be as long as the prompt.

    Args:
        layer: a decoder layer; the names of positional arguments are read off its ``forward``.
        given: positional arguments; the first one is the hidden states, unless they are named.
        named: the other arguments.
        whole: tokens of the prompt.
        places: (kept,) int64, ascending: the tokens that the layer is to process, by their number in the prompt.
        rows: (kept,) the same by their number among those the layer before has processed; None: it has processed these.

    Raises:
        ValueError: an argument is a tensor of an unknown name, or one of a known name has another shape than is known; hidden
            states do not start with the axes prompt and tokens.
    """
    parameters = list(inspect.signature(layer.forward).parameters)
    names = [parameters[place] if place < len(parameters) else f"argument {place}" for place in range(len(given))]
    first = None if "hidden_states" in named or not names else names[0]
    thinner = _Thinner(type(layer).__name__, whole, places)

    def part(name: str, value: Any) -> Any:
        if name in ("hidden_states", first):
            if len(value) != 1:  # gemma3n: (streams, 1, tokens, hidden)
                raise ValueError(
                    f"{type(layer).__name__} is given hidden states of shape {tuple(value.shape)}, must start with 1 prompt and its "
                    "tokens, so the model cannot be run on some of a prompt's tokens"
                )
            return value if rows is None else value.index_select(STATES_AXIS, rows.to(value.device))
        return thinner.without(name, value)

    return tuple(map(part, names, given)), {name: part(name, value) for name, value in named.items()}


class _Thinner:
    """Takes the dropped tokens out of what the model gives a layer for the whole prompt."""

    def __init__(self, layer: str, whole: int, places: Tensor) -> None:
        self.layer, self.whole, self.places = layer, whole, places

    def without(self, name: str, value: Any) -> Any:
        """The argument of this name without the dropped tokens; tuples, lists and dicts part by part."""
        if isinstance(value, tuple | list):
            return type(value)(self.without(name, each) for each in value)
        if isinstance(value, dict):
            return {key: self.without(name, each) for key, each in value.items()}
        if not isinstance(value, Tensor):
            return value
        if name in MASKS:
            return self._mask(name, value)
        if name in TOKEN_AXES:
            return self._taken(name, value, TOKEN_AXES[name])
        if value.numel() == 1:
            return value
        raise ValueError(
            f"{self.layer} is given {name}, a tensor of shape {tuple(value.shape)}, and whether it holds something for each token is "
            "not known, so the model cannot be run on some of a prompt's tokens"
        )

    def _mask(self, name: str, value: Tensor) -> Tensor:
        if value.dim() == ATTENTION_AXES:
            return value  # replaced in the attention function
        if value.dim() == PADDING_AXES:
            return self._taken(name, value, 1)
        raise ValueError(
            f"{self.layer} is given {name} of shape {tuple(value.shape)}, must have {PADDING_AXES} or {ATTENTION_AXES} axes"
        )

    def _taken(self, name: str, value: Tensor, axis: int) -> Tensor:
        if not -value.dim() <= axis < value.dim() or value.shape[axis] != self.whole:
            raise ValueError(
                f"{self.layer} is given {name} of shape {tuple(value.shape)}, must have the prompt's {self.whole} tokens on axis {axis}"
            )
        return value.index_select(axis, self.places.to(value.device))
