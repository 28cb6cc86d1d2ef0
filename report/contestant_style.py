"""Colour and marker of each contestant: the same in every picture, whichever others are beside it.

Colours are from Okabe and Ito (two of them darker) and Tol, which are distinct for the colour-blind; in grey the markers are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tokenrank.records.schema import FULL, ORACLE, RANDOM
from tokenrank.report.drawing import ACCENT, INK, REFERENCE


@dataclass(frozen=True)
class Style:
    """Of one contestant's points and of the line through them."""

    colour: str
    marker: str
    line: str = "-"
    hollow: bool = False
    size: float = 5.5

    def drawn(self) -> dict[str, str | float]:
        """Arguments of ``Axes.plot``."""
        return {
            "color": self.colour, "marker": self.marker, "linestyle": self.line, "linewidth": 1.3,
            "markersize": self.size, "markerfacecolor": "white" if self.hollow else self.colour,
        }  # fmt: skip


KNOWN = {
    FULL: Style(INK, "*", size=10),
    ORACLE: Style(INK, "o", line="--", hollow=True),
    RANDOM: Style("#777777", "x", line=":"),
    "claa": Style(ACCENT, "o"),
    "fastkv": Style(REFERENCE, "s"),
    "gemfilter": Style("#009e73", "^", size=6.5),
    "snapkv": Style("#b5588f", "D", size=5),
    "speculative": Style("#c98a00", "v", size=6.5),
    "tova": Style("#56b4e9", "P", size=6.5),
}
COLOURS = ("#332288", "#882255", "#117733", "#999933", "#cc6677", "#44aa99")  # of the others
MARKERS = ("X", "p", "<", "h", ">", "d", "8")  # 42 pairs: 6 and 7 have no common divisor


def styles(names: Sequence[str]) -> dict[str, Style]:
    """A style for each contestant; those not in KNOWN get one by their place among themselves."""
    others = [name for name in names if name not in KNOWN]
    own = {
        name: Style(COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)], size=6.5)
        for number, name in enumerate(others)
    }
    return {name: KNOWN.get(name) or own[name] for name in names}
