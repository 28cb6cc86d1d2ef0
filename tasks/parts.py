"""The parts of a prompt: the text that the question is about, its context, the question, and the evidence; all but the context is its frame."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from string import Formatter


@dataclass(frozen=True)
class Parts:
    """Where the parts lie: characters of a text, or positions of tokens. None: there is no such part, or nothing of it is left."""

    context: range | None = None
    question: range | None = None
    evidence: tuple[range, ...] = ()  # in order and without overlap

    def moved(self, place: Callable[[int], int]) -> "Parts":
        """The parts after both ends of each went to their new places; ``place`` keeps the order of places."""
        evidence = (_moved(each, place) for each in self.evidence)
        return Parts(
            _moved(self.context, place), _moved(self.question, place), tuple(each for each in evidence if each)
        )

    def shifted(self, by: int) -> "Parts":
        """The parts with ``by`` more in front of them."""
        return self.moved(lambda at: at + by)

    def without_middle(self, length: int, limit: int) -> "Parts":
        """What is left of the parts after ``cut_middle`` of ``length`` tokens to ``limit``: of evidence only whole spans.

        >>> Parts(context=range(1, 6), question=range(3, 5)).without_middle(7, 4)  # 0 1 5 6 stay
        Parts(context=range(1, 3), question=None, evidence=())
        """
        gone, head = length - limit, limit // 2
        if gone <= 0:
            return self
        whole = tuple(each for each in self.evidence if each.stop <= head or each.start >= head + gone)
        return replace(self, evidence=whole).moved(lambda at: min(at, max(head, at - gone)))


def without_overlap(spans: Iterable[range]) -> tuple[range, ...]:
    """The spans in order, those that share a place as one.

    >>> without_overlap([range(7, 9), range(0, 3), range(2, 5), range(5, 6)])
    (range(0, 5), range(5, 6), range(7, 9))
    """
    found: list[range] = []
    for span in sorted(spans, key=lambda each: (each.start, each.stop)):
        if found and span.start < found[-1].stop:
            found[-1] = range(found[-1].start, max(found[-1].stop, span.stop))
        else:
            found.append(span)
    return tuple(found)


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
