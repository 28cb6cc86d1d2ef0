"""Which tokens hold which characters of a text, found by tokenising its beginning or its end alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.tasks.parts import Parts, without_overlap
from tokenrank.tasks.tokens import FinalText, Piece, Segment, added_tokens, own_ids, part_ids, segment_ids, segments


class Border(NamedTuple):
    """A place between two characters that is also one between two tokens."""

    character: int  # of the text, the first behind the border
    token: int  # its position, the first behind the border


@dataclass(frozen=True)
class Layout:
    """The token ids of a text, and which of its characters they hold.

    A place is a border of tokens where the text up to it, or the text from it on, has by itself the very tokens that it has
    in the whole. So nothing but the ids is needed of the tokenizer. Tokens that hold one character together are one here.
    """

    tokenizer: Tokenizer
    segments: tuple[Segment, ...]
    ids_of: tuple[list[int], ...]  # of each segment
    start: bool = True  # whether the text starts here; else it goes on
    before: tuple[int, ...] = ()  # special tokens in front of the text
    after: tuple[int, ...] = ()  # and behind it

    @cached_property
    def ids(self) -> list[int]:
        """All token ids, special tokens around the text included."""
        return [*self.before, *chain.from_iterable(self.ids_of), *self.after]

    def tokens(self, parts: Parts) -> Parts:
        """Positions of the tokens of parts that are given in characters.

        A token that holds characters of a part and of what is around it belongs to the part; of context and question
        that both have a character in it, to the context. Spans of evidence that have one token in common are one.
        """
        context, question = self._holding(parts.context), self._holding(parts.question)
        if context and question and question.start < context.stop and context.start < question.stop:
            before = question.start < context.start
            question = range(question.start, context.start) if before else range(context.stop, question.stop)
        evidence = (self._holding(each) for each in parts.evidence)
        return Parts(context or None, question or None, without_overlap(each for each in evidence if each))

    def around(self, at: int) -> tuple[Border, Border]:
        """The last border at or before a character of the text, and the first at or behind it: one and the same, or a token's two ends."""
        characters, tokens = 0, len(self.before)
        for number, segment in enumerate(self.segments):
            if at <= characters + len(segment.text):
                break
            characters, tokens = characters + len(segment.text), tokens + len(self.ids_of[number])
        inside = at - characters
        below = self._first_border(number, range(inside, -1, -1))
        above = (
            below if below.character == inside else self._first_border(number, range(inside + 1, len(segment.text) + 1))
        )
        return (
            Border(below.character + characters, below.token + tokens),
            Border(above.character + characters, above.token + tokens),
        )

    def _holding(self, part: range | None) -> range:
        """Positions of all tokens that hold a character of the part."""
        return range(self.around(part.start)[0].token, self.around(part.stop)[1].token) if part else range(0)

    def _first_border(self, number: int, places: Iterable[int]) -> Border:
        """The first of these places in a segment that is a border; the segment's two ends are."""
        for place in places:
            tokens = self._tokens_before(number, place)
            if tokens is not None:
                return Border(place, tokens)
        raise AssertionError("the ends of a segment are borders")

    def _tokens_before(self, number: int, place: int) -> int | None:
        """Tokens of a segment before a place in it; None where that is in the middle of a token."""
        segment, ids = self.segments[number], self.ids_of[number]
        rest = len(segment.text) - place
        if not place or not rest:
            return len(ids) if place else 0
        start = self.start and not any(self.ids_of[:number])
        text, starts = (segment.text[:place], start) if place < rest else (segment.text[place:], False)
        try:
            part = part_ids(self.tokenizer, Segment(text, segment.split), start=starts)
        except ValueError:  # the tokenizer has no tokens for this text in the middle of a text
            return None
        if place < rest:
            return len(part) if ids[: len(part)] == part else None
        return len(ids) - len(part) if ids[len(ids) - len(part) :] == part else None


def piece_layout(tokenizer: Tokenizer, pieces: Sequence[Piece], *, start: bool = True) -> Layout:
    """The layout of pieces that follow each other, without special tokens around them; ids as of ``piece_ids``."""
    found = segments(tokenizer, pieces) or [Segment("")]
    return Layout(tokenizer, tuple(found), tuple(segment_ids(tokenizer, found, start=start)), start)


def final_layout(tokenizer: Tokenizer, final: FinalText) -> Layout:
    """The layout of a prompt's text; ids as of ``final_ids``."""
    before, after = added_tokens(tokenizer) if final.bare else ([], [])
    found = piece_layout(tokenizer, final.pieces)
    return Layout(tokenizer, found.segments, found.ids_of, True, tuple(before), tuple(after))


def own_layout(tokenizer: Tokenizer, text: str) -> Layout:
    """The layout of a final text of the user's own; ids as of ``encode``."""
    before, ids, after = own_ids(tokenizer, text)
    return Layout(tokenizer, (Segment(text),), (ids,), True, tuple(before), tuple(after))
