"""Texts to token ids: special tokens, text of templates and of documents, truncation in the middle."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.tasks.control_tokens import control_tokens
from tokenrank.tasks.parts import Parts

ANCHORS = ("\n", ".", "a")  # a text is tokenised behind one of these to find its tokens in the middle of a text


@dataclass(frozen=True)
class Piece:
    """A part of a prompt's text."""

    text: str
    template: bool = False  # text of a template, where names of control tokens are control tokens; else of a document


@dataclass(frozen=True)
class FinalText:
    """The text of a whole prompt."""

    pieces: tuple[Piece, ...]
    bare: bool  # no chat template: the special tokens that the tokenizer adds to a text belong around it
    message: range | None = None  # characters of the user's message in it; None: not there, or several times
    stripped: int = 0  # blanks that the chat template took from the front of the message

    @property
    def text(self) -> str:
        """All pieces together."""
        return "".join(piece.text for piece in self.pieces)

    def place(self, parts: Parts) -> Parts:
        """Parts of the user's message as characters of the whole text."""
        if self.message is None:
            return Parts()
        first, last = self.message.start, self.message.stop
        return parts.moved(lambda at: min(max(first + at - self.stripped, first), last))


@dataclass(frozen=True)
class Segment:
    """A part of a text that is tokenised by itself."""

    text: str
    split: bool = False  # whether names of special tokens in it are text


def encode(tokenizer: Tokenizer, text: str) -> list[int]:
    """Token ids of a final text of the user's own; names of control tokens in it are control tokens.

    The special tokens that the tokenizer adds are added, unless the text begins with those that belong in front.
    """
    before, ids, after = own_ids(tokenizer, text)
    return before + ids + after


def own_ids(tokenizer: Tokenizer, text: str) -> tuple[list[int], list[int], list[int]]:
    """The ids of ``encode`` in three: special tokens added in front, the text, special tokens added behind."""
    before, after = added_tokens(tokenizer)
    ids = _ids(tokenizer, text)
    return ([], ids, []) if before and ids[: len(before)] == before else (before, ids, after)


def final_ids(tokenizer: Tokenizer, final: FinalText) -> list[int]:
    """Token ids of a prompt's text. Around a chat template no special token is added, as in ``apply_chat_template``.

    A text whose documents hold no name of a control token is tokenised as a whole.
    """
    before, after = added_tokens(tokenizer) if final.bare else ([], [])
    return before + piece_ids(tokenizer, final.pieces) + after


def piece_ids(tokenizer: Tokenizer, pieces: Sequence[Piece], *, start: bool = True) -> list[int]:
    """Token ids of pieces that follow each other, without special tokens around them.

    Args:
        tokenizer: the model's.
        pieces: of a text.
        start: whether the text starts here; else it goes on.
    """
    return [token for ids in segment_ids(tokenizer, segments(tokenizer, pieces), start=start) for token in ids]


def segments(tokenizer: Tokenizer, pieces: Sequence[Piece]) -> list[Segment]:
    """The parts in which the text of the pieces is tokenised: one, unless a document holds the name of a control token."""
    text = "".join(piece.text for piece in pieces)
    if not _document_names_control(tokenizer, pieces, text):
        return [Segment(text)]
    found: list[Segment] = []
    for piece in pieces:
        found += [Segment(piece.text)] if piece.template else _document_segments(tokenizer, piece.text)
    return found


def segment_ids(tokenizer: Tokenizer, parts: Sequence[Segment], *, start: bool) -> list[list[int]]:
    """Token ids of segments that follow each other, of each by itself."""
    found: list[list[int]] = []
    for part in parts:
        found.append(part_ids(tokenizer, part, start=start and not any(found)))
    return found


def tokens_of(tokenizer: Tokenizer, text: str, *, start: bool = True) -> list[int]:
    """Token ids of a piece of a document, without special tokens; names of control tokens are text.

    Args:
        tokenizer: the model's.
        text: the piece.
        start: whether the text starts here; else it goes on, and no tokenizer puts a space of its own in front.
    """
    return piece_ids(tokenizer, (Piece(text),), start=start)


def part_ids(tokenizer: Tokenizer, part: Segment, *, start: bool) -> list[int]:
    """Token ids of a segment; where no text starts here, without the space that the tokenizer puts in front of a text.

    Raises:
        ValueError: the tokenizer joins its first characters with whatever is in front.
    """
    if start or not part.text or not control_tokens(tokenizer).leading_space:
        return _ids(tokenizer, part.text, split=part.split)
    for anchor in ANCHORS:
        before, both = _ids(tokenizer, anchor), _ids(tokenizer, anchor + part.text, split=part.split)
        if both[: len(before)] == before:
            return both[len(before) :]
    raise ValueError(f"the model's tokenizer has no tokens for {part.text[:20]!r} in the middle of a text")


def added_tokens(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """The special tokens that the tokenizer adds before and after a text.

    Raises:
        ValueError: it does more than to add tokens at the two ends.
    """
    bare = _ids(tokenizer, "x")
    whole = list(tokenizer("x", verbose=False)["input_ids"])
    for start in range(len(whole) - len(bare) + 1):
        if whole[start : start + len(bare)] == bare:
            return whole[:start], whole[start + len(bare) :]
    raise ValueError(
        f"the model's tokenizer makes {bare} of 'x', and with its special tokens {whole}, which holds it not"
    )


def cut_middle(ids: list[int], limit: int) -> list[int]:
    """Truncates to ``limit`` tokens by removing the middle; start and end stay.

    >>> cut_middle([0, 1, 2, 3, 4, 5, 6], 4)
    [0, 1, 5, 6]
    """
    if limit < 1:
        raise ValueError(f"the prompt may have {limit} tokens, must be at least 1")
    if len(ids) <= limit:
        return ids
    head = limit // 2
    return ids[:head] + ids[len(ids) - (limit - head) :]


def _document_names_control(tokenizer: Tokenizer, pieces: Sequence[Piece], text: str) -> bool:
    """Whether the name of a control token lies in a document, if only in part."""
    spans, end = [], 0
    for piece in pieces:
        end += len(piece.text)
        if not piece.template and piece.text:
            spans.append((end - len(piece.text), end))
    found = control_tokens(tokenizer).any.finditer(text)
    return any(match.start() < stop and begin < match.end() for match in found for begin, stop in spans)


def _document_segments(tokenizer: Tokenizer, text: str) -> list[Segment]:
    """A document is cut behind the first letter of names that ``split_special_tokens`` knows nothing of."""
    control = control_tokens(tokenizer)
    split = control.special.search(text) is not None
    cuts = [0, *(match.start() + 1 for match in control.others.finditer(text)), len(text)]
    return [Segment(text[first:last], split) for first, last in pairwise(cuts)]


def _ids(tokenizer: Tokenizer, text: str, *, split: bool = False) -> list[int]:
    options = {"split_special_tokens": True} if split else {}
    return list(tokenizer(text, add_special_tokens=False, verbose=False, **options)["input_ids"])
