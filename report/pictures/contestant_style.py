"""Colour, marker and line of each method: the same in every picture, whichever others are beside it.

The oracle is black, dashed and hollow, and other engines' bounds are dashed and hollow in the colour of the method whose engine it
is. Controls are grey, dotted and have strokes for markers.

Colours are from Okabe and Ito (two of them darker) and Tol, which are distinct for the colour-blind; in grey the markers are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tokenrank.records.schema import FULL, ORACLE, RANDOM, WHOSE_ENGINE, is_bound, is_control
from tokenrank.report.pictures.drawing import ACCENT, INK, REFERENCE


@dataclass(frozen=True)
class Style:
    """Of one method's points and of the line through them."""

    colour: str
    marker: str
    line: str = "-"
    hollow: bool = False
    size: float = 4.0

    def drawn(self) -> dict[str, str | float]:
        """Arguments of ``Axes.plot``."""
        return {
            "color": self.colour, "marker": self.marker, "linestyle": self.line, "linewidth": 1.1,
            "markersize": self.size, "markerfacecolor": "white" if self.hollow else self.colour, "markeredgewidth": 0.8,
        }  # fmt: skip


GREY = "#6e6e6e"
KNOWN = {
    FULL: Style(INK, "*", size=7),
    ORACLE: Style("#000000", "H", line="--", hollow=True),
    RANDOM: Style(GREY, "x", line=":"),
    "recency": Style(GREY, "1", line=":", size=6),  # no | and _, which vanish on a bar
    "sinks": Style(GREY, "2", line=":", size=6),
    "claa": Style(ACCENT, "o"),
    "fastkv": Style(REFERENCE, "s", size=3.6),
    "gemfilter": Style("#009e73", "^", size=4.6),
    "snapkv": Style("#b5588f", "D", size=3.5),
    "speculative": Style("#c98a00", "v", size=4.6),
    "tova": Style("#56b4e9", "P", size=4.6),
    "asl": Style("#332288", "X", line="-.", size=4.6),
    "h2o": Style("#882255", "p", line="-.", size=4.6),
    "pyramidinfer": Style("#117733", "<", line="-.", size=4.6),
    "keynorm": Style("#999933", "h", line="-.", size=4.6),
}
CONTROLS = (RANDOM, "recency", "sinks")
COLOURS = ("#cc6677", "#44aa99", "#661100", "#6699cc", "#aa4499", "#ddaa33")  # of the others
MARKERS = (">", "d", "8", "*", "o", "s", "^")  # 42 pairs: 6 and 7 have no common divisor
LINES = ("-", "-.")
STROKES = ("+", "3", "4")  # markers of engines' own controls


def is_grey(name: str) -> bool:
    """Whether it is a control, which every method is read against: random scores of any engine, recency or sinks.

    >>> [name for name in ("claa", "random@claa", "recency", "oracle") if is_grey(name)]
    ['random@claa', 'recency']
    """
    return is_control(name) or name in CONTROLS


def styles(names: Sequence[str]) -> dict[str, Style]:
    """A style for each method.

    Those not in KNOWN get one by their place among themselves. Truths (``oracle:ablation``) and an engine's own bound
    (``oracle@gemfilter``, in the colour of the method that the engine is named after) are hollow and dashed; its control is grey and dotted.
    """
    whose = {name: name.partition(WHOSE_ENGINE)[2] for name in names if is_bound(name) or is_control(name)}
    ends = {name: of for name, of in whose.items() if of}
    others = list(dict.fromkeys(ends.get(name, name) for name in names if ends.get(name, name) not in KNOWN))
    own = {
        name: Style(
            COLOURS[number % len(COLOURS)],
            MARKERS[number % len(MARKERS)],
            LINES[number // len(COLOURS) % len(LINES)],
            size=4.6,
        )
        for number, name in enumerate(others)
    }
    controls = [name for name in ends if is_control(name)]
    found: dict[str, Style] = {}
    for name in names:
        style = KNOWN.get(ends.get(name, name)) or own[ends.get(name, name)]
        if name in controls:
            style = Style(GREY, STROKES[controls.index(name) % len(STROKES)], line=":", size=5.5)
        elif is_bound(name):
            style = replace(style, line="--", hollow=True)
        found[name] = style
    return found
