"""Colour and marker of each contestant: the same in every picture, whichever others are beside it.

Bounds are hollow and dashed, controls are strokes and dotted.

Colours are from Okabe and Ito (two of them darker) and Tol, which are distinct for the colour-blind; in grey the markers are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tokenrank.records.schema import FULL, ORACLE, RANDOM, WHOSE_ENGINE, is_bound, is_control
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
    ORACLE: Style(INK, "H", line="--", hollow=True),
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
STROKES = ("+", "1", "2", "3", "4")  # markers of engines' own controls


def styles(names: Sequence[str]) -> dict[str, Style]:
    """A style for each contestant.

    Those not in KNOWN get one by their place among themselves. An engine's own bound, ``oracle@gemfilter``, is hollow and dashed in the
    colour of the contestant that the engine is named after; its control is dotted in that colour.
    """
    whose = {name: name.partition(WHOSE_ENGINE)[2] for name in names if is_bound(name) or is_control(name)}
    ends = {name: of for name, of in whose.items() if of}
    others = list(dict.fromkeys(ends.get(name, name) for name in names if ends.get(name, name) not in KNOWN))
    own = {
        name: Style(COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)], size=6.5)
        for number, name in enumerate(others)
    }
    controls = [name for name in ends if is_control(name)]
    found: dict[str, Style] = {}
    for name in names:
        style = KNOWN.get(ends.get(name, name)) or own[ends.get(name, name)]
        if name in controls:
            style = replace(style, marker=STROKES[controls.index(name) % len(STROKES)], line=":", size=6.5)
        elif name in ends:
            style = replace(style, line="--", hollow=True)
        found[name] = style
    return found
