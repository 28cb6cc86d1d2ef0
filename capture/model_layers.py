"""What is known of a model's layers: which have attention, and how far each of those sees."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ModelLayers:
    """The layers of a model, by number; the one description that planning, engines, tables and pictures share."""

    total: int  # decoder layers
    attention: tuple[int, ...]  # those with attention, ascending; of a hybrid not all
    windows: Mapping[int, int] = field(default_factory=dict)  # of those with a sliding window: its tokens

    def __str__(self) -> str:
        """``0 to 29``, or each number where some are missing."""
        first, last = self.attention[0], self.attention[-1]
        if list(self.attention) == list(range(first, last + 1)):
            return f"{first} to {last}"
        return ", ".join(map(str, self.attention))
