"""What is known of a model's layers: which have attention, and how far each of those sees."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ModelLayers:
    """The layers of a model, by number; the one description that planning, engines, tables and plots share."""

    total: int  # decoder layers
    attention: tuple[int, ...]  # those with attention, ascending; in a hybrid not all
    windows: Mapping[int, int] = field(default_factory=dict)  # layer -> its sliding window in tokens, where it has one

    @property
    def windowed(self) -> frozenset[int]:
        """Numbers of the layers with a sliding window."""
        return frozenset(self.windows)

    def __str__(self) -> str:
        """``0 to 29``, or each number where some are missing.

        >>> str(ModelLayers(total=4, attention=(1, 3)))
        '1, 3'
        """
        first, last = self.attention[0], self.attention[-1]
        if list(self.attention) == list(range(first, last + 1)):
            return f"{first} to {last}"
        return ", ".join(map(str, self.attention))
