"""What an engine must know of a model before it runs: where it can select."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ModelLayers:
    """The layers of a model, by number."""

    total: int  # decoder layers
    attention: Sequence[int]  # those with attention, ascending
    windowed: Collection[int] = ()  # those with a sliding window

    def select_layer(self, asked: int | None) -> int:
        """The layer asked for; for None, half the layers less one (14 of 30).

        Where that one has no full attention, the nearest before it that has, else the first after it: in a windowed layer
        most tokens are out of reach and tie. In a model of windowed layers only, these count as full.

        Raises:
            ValueError: the model has no such attention layer.

        >>> ModelLayers(total=30, attention=range(30)).select_layer(None)
        14
        """
        if asked is not None:
            if asked not in self.attention:
                raise ValueError(f"select_layer is {asked}, must be an attention layer of the model: {self}")
            return asked
        full = [layer for layer in self.attention if layer not in self.windowed] or list(self.attention)
        half = max(self.total // 2 - 1, 0)
        return max((layer for layer in full if layer <= half), default=min(full))

    def first_read(self, select_layer: int, layers: int | None) -> int:
        """The first of the ``layers`` attention layers that end with ``select_layer``; for None the first there is."""
        upto = [layer for layer in self.attention if layer <= select_layer]
        return upto[0 if layers is None else max(0, len(upto) - layers)]

    def __str__(self) -> str:
        """``0 to 29``, or each number where some are missing."""
        first, last = self.attention[0], self.attention[-1]
        if list(self.attention) == list(range(first, last + 1)):
            return f"{first} to {last}"
        return ", ".join(map(str, self.attention))
