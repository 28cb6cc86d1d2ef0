"""Which of a prompt's tokens each layer processes, in one forward pass that drops tokens on its way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from tokenrank.capture.feeding import check_one_prompt
from tokenrank.capture.layer_arguments import thinned


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
            ValueError: there is no token, or there are several prompts.
        """
        check_one_prompt(input_ids)
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

        Raises:
            ValueError: after a drop, a layer is given a tensor that is not known by name (see ``layer_arguments``).
        """

        def before(layer: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
            rows = None
            if self._next is not None:
                before_drop = len(self.ids)
                (self._places, rows), self._next, self.gaps = self._next, None, True
                self.ids, self.positions = self.all_ids[self._places], self.all_positions[self._places]
                dropped(before_drop - len(self.ids))
            if self._places is None:
                return None
            return thinned(layer, given, named, whole=len(self.all_ids), places=self._places, rows=rows)

        handles = [layer.register_forward_pre_hook(before, with_kwargs=True) for layer in layers]
        handles.append(layers[-1].register_forward_hook(self._padded))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _padded(self, _layer: nn.Module, _given: Any, output: Any) -> Any:
        """The last layer's output with empty rows in front, as some models insist on the prompt's length. Only its end is read."""
        if self._places is None:  # nothing was dropped; states of several streams have other shapes
            return output
        states = output[0] if isinstance(output, tuple) else output
        missing = len(self.all_ids) - states.shape[1]
        whole = nn.functional.pad(states, (0, 0, missing, 0))
        return (whole, *output[1:]) if isinstance(output, tuple) else whole
