"""What fits into a line of a terminal: columns by their importance, and names that are shortened and still differ."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from tokenrank.report.rows.aligned import GAP, WIDTH, Column

NAMES = 20  # letters of a name in a printed table
DOTS = ".."


@dataclass(frozen=True)
class Block:
    """Columns that are shown together or not at all."""

    columns: Sequence[Column]
    rank: int  # the smallest is shown in any case; the others by their rank, up to the first that does not fit

    @property
    def width(self) -> int:
        """Letters of a line, with the gap in front of each column."""
        return sum(len(GAP) + max(len(text) for text in (each.heading, *each.cells)) for each in self.columns)


def fitting(blocks: Sequence[Block], width: int = WIDTH) -> list[Column]:
    """The columns that fit into a line, in the order in which they are given.

    Args:
        blocks: in this order.
        width: letters of a line.

    >>> first, second, third = (Block([Column(name, ["0.5"])], rank) for name, rank in (("a", 1), ("b", 3), ("c", 2)))
    >>> [column.heading for column in fitting([first, second, third], 10)]
    ['a', 'c']
    """
    room, chosen = width + len(GAP), set()
    least = min((block.rank for block in blocks), default=0)
    for number, block in sorted(enumerate(blocks), key=lambda each: each[1].rank):
        if block.width > room and block.rank != least:
            break
        chosen.add(number)
        room -= block.width
    return [column for number, block in enumerate(blocks) if number in chosen for column in block.columns]


def shortened(names: Sequence[str], width: int = NAMES) -> dict[str, str]:
    """Name -> a form of at most ``width`` letters; different names have different forms, and short ones stay.

    A long name loses letters in its middle. Where no place keeps all names apart, what is left is numbered.

    >>> shortened(["claa", "random@claa_window64", "random@claa_window32"], 12)
    {'claa': 'claa', 'random@claa_window64': 'random..ow64', 'random@claa_window32': 'random..ow32'}
    """
    known = list(dict.fromkeys(names))
    short, long = ([name for name in known if (len(name) <= width) is fits] for fits in (True, False))
    room = width - len(DOTS)
    for behind in sorted(range(1, room), key=lambda each: abs(each - room * 2 // 5)):
        found = {name: name[: room - behind] + DOTS + name[-behind:] for name in long}
        if len({*found.values(), *short}) == len(known):
            return {name: found.get(name, name) for name in known}
    taken, forms = set(short), {}
    for name in long:
        forms[name] = next(form for form in _numbered(name, width) if form not in taken)
        taken.add(forms[name])
    return {name: forms.get(name, name) for name in known}


def _numbered(name: str, width: int) -> Iterator[str]:
    for number in count(1):
        end = f"{DOTS}{number}"
        yield name[: width - len(end)] + end
