"""Tables of results as Markdown."""

import math
import re
from collections.abc import Sequence

from tokenrank.report.rows.aligned import ABSENT, interval, number
from tokenrank.report.tables.result_grid import Block, Cell, Grid

SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~])")
DAGGER = "\u2020"


def markdown(grids: Sequence[Grid], title: str = "") -> str:
    """The tables below each other, each with its caption.

    Args:
        grids: the tables.
        title: heading of the file; empty: none.
    """
    parts = [f"# {escaped(title)}"] if title else []
    return "\n\n".join([*parts, *map(_table, grids)]) + "\n"


def escaped(text: str) -> str:
    r"""The text without any meaning in Markdown, on one line.

    >>> escaped("a|b_c")
    'a\\|b\\_c'
    """
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


def fenced(text: str) -> str:
    """The text as it is, between fences that are longer than any in it.

    >>> fenced("a ``` b").splitlines()
    ['````', 'a ``` b', '````']
    """
    fence = "`" * max(3, *(len(each) + 1 for each in re.findall("`+", text)), 0)
    return f"{fence}\n{text}\n{fence}"


def _table(grid: Grid) -> str:
    headings = [f"{group}: {heading}" if group else heading for group, heading in grid.columns]
    lines = [_line(["method", *map(escaped, headings)]), _line(["---", *("---:" for _ in headings)])]
    for block in grid.blocks:
        lines += _block(block, len(headings), titled=len(grid.blocks) > 1)
    return f"## {escaped(grid.name)}\n\n{escaped(grid.caption)}\n\n" + "\n".join(lines)


def _block(block: Block, width: int, *, titled: bool) -> list[str]:
    title = [_line([f"*{escaped(block.title)}*", *[""] * width])] if titled else []
    return title + [_line([escaped(row.name), *map(_cell, row.cells)]) for row in block.rows]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    if math.isnan(cell.value):
        return ABSENT
    value = number(cell.value, cell.digits)
    marked = (f"**{value}**" if cell.best else value) + DAGGER * cell.dagger
    ends = interval(cell.low, cell.high, cell.digits)
    return marked if ends == ABSENT else f"{marked} {ends}"
