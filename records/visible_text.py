"""Text in which nothing can reorder, hide or command what a terminal shows."""

import sys
import unicodedata

BLANK = (
    range(0x34F, 0x350), range(0x115F, 0x1161), range(0x17B4, 0x17B6), range(0x180B, 0x1810), range(0x2800, 0x2801),
    range(0x3164, 0x3165), range(0xFE00, 0xFE10), range(0xFFA0, 0xFFA1), range(0xE0000, 0xE1000),
)  # Default_Ignorable_Code_Point that is no control; and the empty braille pattern  # fmt: skip
JOINERS = "\u200c\u200d"
SELECTORS = "".join(map(chr, range(0xFE00, 0xFE10)))


def visible(text: str) -> str:
    r"""The text with the escape of every character that a terminal would obey or hide; line breaks and tabs stay.

    So do joiners and selectors of a shape that follow a letter or an emoji in the same text, beyond ASCII. They order nothing, and
    Indic and Persian words and emoji are made with them.

    >>> visible("a\x1b[31mb\u202e\n"), visible("\u200d"), visible("\u0915\u094d\u200d") == "\u0915\u094d\u200d"
    ('a\\x1b[31mb\\u202e\n', '\\u200d', True)
    """
    found, shapes = [], ""  # characters that may follow because they only say how the last one is drawn
    for each in text:
        if each in shapes:
            found.append(each)
            shapes = JOINERS if each in SELECTORS else ""
        else:
            found.append(each if each in "\n\t" or _harmless(each) else _escape(each))
            shapes = _shapes_of(each)
    return "".join(found)


def _harmless(letter: str) -> bool:
    return unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") and not _is_blank(letter)


def _is_blank(letter: str) -> bool:
    """Whether it has no shape: what Unicode lets programs ignore (fillers, selectors, tags), or the empty braille pattern."""
    return any(ord(letter) in each for each in BLANK)


def _shapes_of(letter: str) -> str:
    """Joiners of letters beyond ASCII, and joiners and selectors of symbols, which emoji are; else none."""
    if letter.isascii() or not _harmless(letter):
        return ""
    return {"L": JOINERS, "M": JOINERS, "S": JOINERS + SELECTORS}.get(unicodedata.category(letter)[0], "")


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def say(text: str) -> None:
    """Prints to stderr, visibly: messages quote prompts, names and errors of others."""
    print(visible(text), file=sys.stderr)
