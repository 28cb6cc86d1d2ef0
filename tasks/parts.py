"""The parts of a prompt: the text that the question is about, its context, and the question; all but the context is its frame."""

from collections.abc import Callable
from dataclasses import dataclass
from string import Formatter


@dataclass(frozen=True)
class Parts:
    """Where the parts lie: characters of a text, or positions of tokens. None: there is no such part, or nothing of it is left."""

    context: range | None = None
    question: range | None = None

    def moved(self, place: Callable[[int], int]) -> "Parts":
        """The parts after both ends of each went to their new places; ``place`` keeps the order of places."""
        return Parts(_moved(self.context, place), _moved(self.question, place))

    def shifted(self, by: int) -> "Parts":
        """The parts with ``by`` more in front of them."""
        return self.moved(lambda at: at + by)

    def without_middle(self, length: int, limit: int) -> "Parts":
        """What is left of the parts after ``cut_middle`` of ``length`` tokens to ``limit``.

        >>> Parts(context=range(1, 6), question=range(3, 5)).without_middle(7, 4)  # 0 1 5 6 stay
        Parts(context=range(1, 3), question=None)
        """
        gone, head = length - limit, limit // 2
        return self if gone <= 0 else self.moved(lambda at: min(at, max(head, at - gone)))


def worded(template: str, **values: str) -> tuple[str, dict[str, range]]:
    """The template with its fields filled in, as ``str.format`` does, and the characters of each value in it.

    A value that stands there several times has no one place, and an empty one none: these are left out.

    >>> worded("{{a}} {b}, {c}{c}.", b="why", c="x")
    ('{a} why, xx.', {'b': range(4, 7)})
    """
    text, places = "", dict[str, list[range]]()
    for literal, field, _, _ in Formatter().parse(template):
        text += literal
        if field is not None:
            places.setdefault(field, []).append(range(len(text), len(text) + len(values[field])))
            text += values[field]
    return text, {field: found[0] for field, found in places.items() if len(found) == 1 and found[0]}


def _moved(part: range | None, place: Callable[[int], int]) -> range | None:
    return (range(place(part.start), place(part.stop)) or None) if part else None
