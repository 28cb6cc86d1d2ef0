"""A prompt's tokens as text for a terminal: coloured or with marks, wrapped, and without control characters."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from tokenrank.records.visible_text import visible
from tokenrank.report.page.levels import ALWAYS, FOUND, MISSED, NOTHING, WRONG
from tokenrank.report.page.token_view import TokenView

COLOURS = {
    FOUND: "30;42",
    MISSED: "30;43",
    WRONG: "97;45",
    ALWAYS: "2",
    NOTHING: "",
}  # of the background and of letters, as terminals number them
MARKS = {FOUND: "[=", MISSED: "[-", WRONG: "[+", ALWAYS: "[*"}
WORDS = {FOUND: "found", MISSED: "missed", WRONG: "wrongly kept", ALWAYS: "always kept, not judged"}
UNDERLINED, DIM = "4", "2"
EVIDENCE = ("<<", ">>")  # around each span of evidence where there are no colours
TAB = 4


@dataclass(frozen=True)
class Letter:
    """A character of the screen: what is printed, and how."""

    text: str  # a visible character, or the escape of one that is not; a line break ends a line
    style: str = ""  # numbers of a terminal's colours

    @property
    def width(self) -> int:
        """Cells of the screen."""
        return sum(
            0 if unicodedata.category(each) in ("Mn", "Me", "Cf") else 1 + (unicodedata.east_asian_width(each) in "WF")
            for each in self.text
        )


def shown(found: TokenView, width: int, *, colours: bool) -> str:
    """Heading, legend, prompt, counts and answers.

    Args:
        found: the tokens.
        width: cells of a line, at least 20.
        colours: with a terminal's colours, else with marks around tokens.
    """
    parts = [
        _plain(found.heading, width),
        _wrapped(list(_legend(found, colours=colours)), width),
        _wrapped(list(_letters(found, colours=colours)), width),
        _plain(counts(found), width),
    ]
    answers = [
        f"{visible(whose)}:\n{_plain(text, width)}" if text is not None else f"{visible(whose)}: the run keeps none"
        for whose, text in found.answers
    ]
    return "\n\n".join([*parts, *answers])


def counts(found: TokenView) -> str:
    """How many tokens were found, missed and wrongly kept, and how much of the evidence."""
    best = found.count(FOUND) + found.count(MISSED)
    recall = f" (recall {found.recall:.4f})" if best else ""
    lines = [
        f"found {found.count(FOUND)} of the truth's best {best}{recall}, missed {found.count(MISSED)},",
        f"wrongly kept {found.count(WRONG)}",
    ]
    places = [place for span in found.evidence for place in span]
    if places:
        kept = sum(int(found.kinds[place]) in (FOUND, WRONG, ALWAYS) for place in places)
        spans = f" in {len(found.evidence)} spans" if len(found.evidence) > 1 else ""
        lines[1] += f"; of the evidence's {len(places)} tokens{spans} {kept} kept"
    return "\n".join(lines)


def _legend(found: TokenView, *, colours: bool) -> Iterator[Letter]:
    said = {kind: word for kind, word in WORDS.items() if kind != ALWAYS or found.count(ALWAYS)}
    entries = [(word, COLOURS[kind]) if colours else (f"{MARKS[kind]}{word}]", "") for kind, word in said.items()]
    if found.evidence:
        entries.append(("evidence", UNDERLINED) if colours else (f"{EVIDENCE[0]}evidence{EVIDENCE[1]}", ""))
    if len(found.unranked):
        entries.append((f"{len(found.unranked)} tokens outside of the universe are not ranked", DIM if colours else ""))
    for place, (text, style) in enumerate(entries):
        if place:
            yield from (Letter(" "), Letter(" "))
        yield from _each(text, style, breaks=False)


def _letters(found: TokenView, *, colours: bool) -> Iterator[Letter]:
    """The prompt, run by run of tokens of one kind."""
    span_of = {place: number for number, span in enumerate(found.evidence, start=1) for place in span}
    styled = [(int(kind), span_of.get(place, 0), place in found.unranked) for place, kind in enumerate(found.kinds)]
    inside = 0  # number of the span; 0: none
    for (kind, span, unranked), tokens in groupby(zip(styled, found.texts, strict=True), key=lambda each: each[0]):
        text = "".join(visible(each) for _, each in tokens)
        if colours:
            style = ";".join(
                filter(None, [COLOURS[kind], UNDERLINED * bool(span), DIM * (unranked and kind == NOTHING)])
            )
            yield from _each(text, style, breaks=kind not in (NOTHING, ALWAYS))
            continue
        if span != inside:
            yield from (Letter(EVIDENCE[1]) for _ in range(bool(inside)))
            yield from (Letter(EVIDENCE[0]) for _ in range(bool(span)))
            inside = span
        mark = MARKS.get(kind)
        yield from _each(text if mark is None else f"{mark}{text}]", "", breaks=mark is not None)
    if inside:
        yield Letter(EVIDENCE[1])


def _each(text: str, style: str, *, breaks: bool) -> Iterator[Letter]:
    """Letters of a text; ``breaks``: a line break is also shown as one, since it has a kind."""
    for each in text:
        if each == "\n":
            yield from (Letter(mark, style) for mark in r"\n" if breaks)
            yield Letter("\n")
        else:
            yield Letter(" " * TAB if each == "\t" else each, style)


def _wrapped(letters: list[Letter], width: int) -> str:
    """Lines of at most ``width`` cells, broken at blanks where there are any."""
    lines: list[list[Letter]] = [[]]
    used = blank = 0  # cells of the line; letters up to its last blank
    for letter in letters:
        if letter.text == "\n":
            lines.append([])
            used = blank = 0
            continue
        if used + letter.width > width:
            lines[-1], rest = (lines[-1][:blank], lines[-1][blank:]) if blank else (lines[-1], [])
            lines.append(rest)
            used, blank = sum(each.width for each in rest), 0
        lines[-1].append(letter)
        used += letter.width
        blank = len(lines[-1]) if letter.text == " " else blank
    return "\n".join(map(_coloured, lines))


def _coloured(letters: list[Letter]) -> str:
    """A line, each run of letters of one style between the codes that begin and end it."""
    runs = ((style, "".join(each.text for each in run)) for style, run in groupby(letters, key=lambda each: each.style))
    return "".join(f"\x1b[{style}m{text}\x1b[0m" if style else text for style, text in runs)


def _plain(text: str, width: int) -> str:
    return _wrapped(list(_each(visible(text), "", breaks=False)), width)
