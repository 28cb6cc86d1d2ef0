"""Texts to token ids: special tokens, text of templates and of documents, truncation in the middle."""

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.tasks.control_tokens import control_tokens

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

    @property
    def text(self) -> str:
        """All pieces together."""
        return "".join(piece.text for piece in self.pieces)


def encode(tokenizer: Tokenizer, text: str) -> list[int]:
    """Token ids of a final text of the user's own; names of control tokens in it are control tokens.

    The special tokens that the tokenizer adds are added, unless the text begins with those that belong in front.
    """
    before, after = added_tokens(tokenizer)
    ids = _ids(tokenizer, text)
    return ids if before and ids[: len(before)] == before else before + ids + after


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
    text = "".join(piece.text for piece in pieces)
    if not _document_names_control(tokenizer, pieces, text):
        return _part(tokenizer, text, start=start)
    ids: list[int] = []
    for piece in pieces:
        at_start = start and not ids
        if piece.template:
            ids += _part(tokenizer, piece.text, start=at_start)
        else:
            ids += tokens_of(tokenizer, piece.text, start=at_start)
    return ids


def tokens_of(tokenizer: Tokenizer, text: str, *, start: bool = True) -> list[int]:
    """Token ids of a piece of a document, without special tokens; names of control tokens are text.

    Args:
        tokenizer: the model's.
        text: the piece.
        start: whether the text starts here; else it goes on, and no tokenizer puts a space of its own in front.
    """
    control = control_tokens(tokenizer)
    split = control.special.search(text) is not None
    parts, end = [], 0
    for match in control.others.finditer(
        text
    ):  # split_special_tokens knows nothing of these: cut behind the first letter
        parts.append(text[end : match.start() + 1])
        end = match.start() + 1
    ids: list[int] = []
    for part in (*parts, text[end:]):
        ids += _part(tokenizer, part, start=start and not ids, split=split)
    return ids


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


def _part(tokenizer: Tokenizer, text: str, *, start: bool, split: bool = False) -> list[int]:
    """Token ids of a text; where it does not start here, without the space that the tokenizer puts in front of a text."""
    if start or not text or not control_tokens(tokenizer).leading_space:
        return _ids(tokenizer, text, split=split)
    for anchor in ANCHORS:
        before, both = _ids(tokenizer, anchor), _ids(tokenizer, anchor + text, split=split)
        if both[: len(before)] == before:
            return both[len(before) :]
    raise ValueError(f"the model's tokenizer has no tokens for {text[:20]!r} in the middle of a text")


def _ids(tokenizer: Tokenizer, text: str, *, split: bool = False) -> list[int]:
    options = {"split_special_tokens": True} if split else {}
    return list(tokenizer(text, add_special_tokens=False, verbose=False, **options)["input_ids"])
