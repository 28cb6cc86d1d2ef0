"""Lines of a printed table: numbers and intervals as text, and columns of equal width."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from textwrap import fill

import pandas as pd

WIDTH = 80  # letters of a line
ABSENT = "-"  # not measured, or not defined
GAP = "  "  # between columns


@dataclass(frozen=True)
class Column:
    """A heading and a cell for each line."""

    heading: str
    cells: Sequence[str]
    left: bool = False  # aligned to the left, as names are

    def lines(self) -> list[str]:
        """The heading and the cells, all of one width."""
        texts = [self.heading, *self.cells]
        width = max(len(text) for text in texts)
        return [text.ljust(width) if self.left else text.rjust(width) for text in texts]


def aligned(columns: Sequence[Column], groups: Sequence[str] = ()) -> str:
    """A line of headings and a line for each row of cells.

    Args:
        columns: all with as many cells.
        groups: of each row the group that it belongs to: an empty line stands between two groups. None: no empty lines.

    >>> print(aligned([Column("name", ["a", "bc"], left=True), Column("value", ["1", "-"])], ["x", "y"]))
    name  value
    a         1
    <BLANKLINE>
    bc        -
    """
    heading, *rows = [GAP.join(cells) for cells in zip(*(column.lines() for column in columns), strict=True)]
    first = [False, *(a != b for a, b in pairwise(groups))] if groups else [False] * len(rows)
    return "\n".join([heading, *(f"\n{row}" if begins else row for row, begins in zip(rows, first, strict=True))])


def number(value: float, digits: int = 3) -> str:
    """The number with so many decimals, or a dash.

    >>> number(0.12345), number(float("nan"))
    ('0.123', '-')
    """
    return ABSENT if pd.isna(value) else f"{value:.{digits}f}"


def interval(low: float, high: float, digits: int = 3) -> str:
    """Both ends in brackets, or a dash where one is missing.

    >>> interval(0.1, 0.25, 2)
    '[0.10, 0.25]'
    """
    return ABSENT if pd.isna(low) or pd.isna(high) else f"[{low:.{digits}f}, {high:.{digits}f}]"


def wrapped(sentence: str) -> str:
    """The sentence in lines that fit a terminal."""
    return fill(sentence, WIDTH, break_on_hyphens=False)
