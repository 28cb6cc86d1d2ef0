"""Which of a prompt's tokens each layer processes, in one forward pass that drops tokens on its way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class FedTokens:
    """A prompt's tokens; of them, those that the layer under way processes.

    A *place* is a token's number in the prompt's token list, a *row* its number among the tokens of the layer under way.
    """

    def __init__(self, input_ids: Tensor, positions: Tensor | None) -> None:
        """All tokens.

        Args:
            input_ids: (tokens,) int64; at least one.
            positions: (tokens,) int64, ascending; None: 0, 1, 2, ...

        Raises:
            ValueError: there is no token.
        """
        if len(input_ids) == 0:
            raise ValueError("the prompt is empty, at least one token is needed")
        ordinary = torch.arange(len(input_ids), device=input_ids.device)
        self.all_ids = input_ids
        self.all_positions = ordinary if positions is None else positions.to(input_ids.device)
        self.gaps = positions is not None and not torch.equal(self.all_positions, ordinary)  # positions are missing
        self.ids, self.positions = self.all_ids, self.all_positions  # (tokens,) each, of the layer under way
        self._places: Tensor | None = None  # of the layer under way; None: all
        self._next: tuple[Tensor, Tensor] | None = None  # places and rows of the layers after it, until the next begins

    def rows(self, places: Tensor) -> Tensor:
        """Rows of the tokens at these places, in the same shape.

        Raises:
            ValueError: one of them is no token of the layer under way. (Not checked as long as it processes all.)
        """
        if self._places is None:
            return places
        left = self._places.to(places.device)
        rows = torch.searchsorted(left, places.contiguous()).clamp(max=len(left) - 1)
        if not torch.equal(left[rows], places):
            raise ValueError("a visitor keeps a token that it dropped at an earlier layer")
        return rows

    def drop_all_but(self, places: Tensor) -> None:
        """From the next decoder layer on only the tokens at these places are processed.

        Args:
            places: (kept,) int64, ascending, among those of the layer under way.

        Raises:
            ValueError: as for ``rows``.
        """
        places = places.to(self.all_ids.device)
        self._next = places, self.rows(places)

    @contextmanager
    def fed_to(self, layers: nn.ModuleList, dropped: Callable[[int], None]) -> Iterator[None]:
        """Within the block, each decoder layer is given only the tokens that it is to process.

        Args:
            layers: the decoder layers, in order.
            dropped: called with the number of tokens that went, where a layer is given fewer than the one before it.
        """

        def before(_layer: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
            rows = None
            if self._next is not None:
                before_drop = len(self.ids)
                (self._places, rows), self._next, self.gaps = self._next, None, True
                self.ids, self.positions = self.all_ids[self._places], self.all_positions[self._places]
                dropped(before_drop - len(self.ids))
            return None if self._places is None else self._thinned(given, named, rows)

        handles = [layer.register_forward_pre_hook(before, with_kwargs=True) for layer in layers]
        handles.append(layers[-1].register_forward_hook(self._padded))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _thinned(
        self, given: tuple[Any, ...], named: dict[str, Any], rows: Tensor | None
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """A layer's arguments without the dropped tokens.

        The hidden states come from the layer before, without the tokens dropped earlier; all else that holds something for each
        token comes from the model, for the whole prompt.
        """
        whole = len(self.all_ids)

        def of_states(value: Any) -> Any:
            if rows is not None and value.shape[1] < whole:
                return value[:, rows.to(value.device)]
            return of_prompt(value)

        def of_prompt(value: Any) -> Any:
            if isinstance(value, tuple):
                return tuple(map(of_prompt, value))
            if self._places is None or not isinstance(value, Tensor) or value.dim() not in (2, 3):
                return value  # masks, which have four axes, are replaced in the attention function
            return value[:, self._places.to(value.device)] if value.shape[1] == whole else value

        states = {name: of_states(value) for name, value in named.items() if name == "hidden_states"}
        others = {name: of_prompt(value) for name, value in named.items() if name != "hidden_states"}
        if states or not given:
            return tuple(map(of_prompt, given)), others | states
        return (of_states(given[0]), *map(of_prompt, given[1:])), others

    def _padded(self, _layer: nn.Module, _given: Any, output: Any) -> Any:
        """The last layer's output with empty rows in front, as some models insist on the prompt's length. Only its end is read."""
        states = output[0] if isinstance(output, tuple) else output
        missing = len(self.all_ids) - states.shape[1]
        if missing == 0:
            return output
        whole = nn.functional.pad(states, (0, 0, missing, 0))
        return (whole, *output[1:]) if isinstance(output, tuple) else whole
