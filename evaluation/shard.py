"""A shard: some of a plan's units, so that several commands share a run without speaking to each other."""

import re
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Shard:
    """Every ``of``-th unit, from unit ``number`` - 1 on."""

    number: int = 1  # from 1
    of: int = 1

    @classmethod
    def of_text(cls, text: str | None) -> Self:
        """The shard that a setting names, as ``3/8``; null means all units.

        Raises:
            ValueError: it is no such pair, or a number is out of range.

        >>> Shard.of_text("3/8")
        Shard(number=3, of=8)
        """
        if text is None:
            return cls()
        found = re.fullmatch(r"(\d+)/(\d+)", str(text))
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise ValueError(f"shard is {text}, must be I/N with 1 <= I <= N, as shard=3/8")
        return cls(int(found[1]), int(found[2]))

    def holds(self, unit: int) -> bool:
        """Whether the unit of this number, from 0, belongs to the shard."""
        return unit % self.of == self.number - 1
