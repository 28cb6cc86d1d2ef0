"""Chunks of a prompt: so many tokens each, or sentences. They tile the prompt, and none crosses the border of its context."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

SENTENCE = "sentence"
CLOSING = "\"'”’»)\\]」』）"  # noqa: RUF001
SENTENCE_END = re.compile(
    rf"(?P<end>[.!?…]+[{CLOSING}]*(?=\s+[^\sa-z]|\s*\n|\s*$)|[。！？]+[{CLOSING}]*|(?=\n))(?P<space>[^\S\n]*\n\s*)?"  # noqa: RUF001
)


def check_chunk(chunk: int | str) -> None:
    """Raises ValueError unless ``chunk`` is a number of tokens, at least 1, or ``sentence``."""
    if chunk != SENTENCE and (type(chunk) is not int or chunk < 1):
        raise ValueError(f"chunk is {chunk!r}, must be at least 1 token, or {SENTENCE}")


def check_chunk_fits(chunk: int | str, tokens: int, context: range | None) -> None:
    """Raises ValueError as ``check_chunk``, and for a chunk of more tokens than the context has, or the prompt, where there is none."""
    check_chunk(chunk)
    length, whose = (tokens, "prompt") if context is None else (len(context), "context")
    if isinstance(chunk, int) and chunk > length:
        raise ValueError(
            f"chunk is {chunk} tokens, and the {whose} has {length}: must be at most as many, or {SENTENCE}"
        )


def chunked(
    tokens: int, chunk: int | str, context: range | None = None, texts: Sequence[str] | None = None
) -> list[range]:
    """The chunks of a prompt, in order; together they are all its places, and none is empty.

    What is before the context, the context and what is after it are divided each by itself, into as few chunks as hold it, whose lengths
    differ by 1 at most.
    A sentence ends after a full stop, question or exclamation mark (closing quotes and brackets included) where space and no lower
    case letter follow, after the marks of Chinese and Japanese, and at a line break.

    Args:
        tokens: of the prompt.
        chunk: tokens, or ``sentence``.
        context: places of the text that the question is about; None: the prompt has no such part.
        texts: what each token adds to the prompt's text; for ``sentence`` alone.

    Raises:
        ValueError: ``chunk`` is below 1 or another word, or longer than the context (or the prompt, where there is none), or sentences
            are asked for and ``texts`` are not one for each token.

    >>> chunked(7, 2, context=range(1, 6))
    [range(0, 1), range(1, 2), range(2, 4), range(4, 6), range(6, 7)]
    >>> chunked(6, "sentence", texts=["It", " is", " 3.", "5.", " No", "!"])
    [range(0, 4), range(4, 6)]
    """
    check_chunk_fits(chunk, tokens, context)
    if chunk == SENTENCE and (texts is None or len(texts) != tokens):
        raise ValueError(
            f"chunk is {SENTENCE}, which needs the text of each of the {tokens} tokens, got {None if texts is None else len(texts)}"
        )
    borders = {0, tokens} if context is None else {0, context.start, context.stop, tokens}
    parts = [range(start, stop) for start, stop in pairwise(sorted(borders))]
    if isinstance(chunk, int):
        return [piece for part in parts for piece in _even(part, chunk)]
    return [sentence for part in parts for sentence in _sentences(part, (texts or ())[part.start : part.stop])]


def of_context(chunks: Sequence[range], context: range | None) -> list[int]:
    """Numbers of the chunks that lie in the context; all where there is none.

    >>> of_context([range(0, 1), range(1, 3), range(3, 4)], range(1, 3))
    [1]
    """
    return [number for number, each in enumerate(chunks) if context is None or each.start in context]


def visible_without(chunks: Sequence[range], hidden: Tensor) -> Tensor:
    """Which tokens are visible where chunks are hidden.

    Args:
        chunks: of a prompt.
        hidden: (passes, chunks) bool.

    Returns:
        (passes, tokens) bool.

    >>> visible_without([range(0, 2), range(2, 3)], torch.tensor([[True, False]])).tolist()
    [[False, False, True]]
    """
    return ~hidden.repeat_interleave(torch.tensor([len(each) for each in chunks]), dim=1)


def visible_where(chunks: Sequence[range], numbers: Sequence[int], kept: Tensor) -> Tensor:
    """Which tokens are visible where some of the chunks are masked; all others are visible.

    Args:
        chunks: of a prompt.
        numbers: of those that are masked.
        kept: (passes, len(numbers)) bool, which of them are visible.

    Returns:
        (passes, tokens) bool.

    >>> visible_where([range(0, 1), range(1, 3)], [1], torch.tensor([[True], [False]])).tolist()
    [[True, True, True], [True, False, False]]
    """
    hidden = torch.zeros(len(kept), len(chunks), dtype=torch.bool)
    hidden[:, numbers] = ~kept
    return visible_without(chunks, hidden)


def spread(scores: Tensor, chunks: Sequence[range]) -> Tensor:
    """Scores of chunks as scores of tokens: each token has its share, so that the tokens of a chunk sum to its score.

    Args:
        scores: (chunks,) float.
        chunks: of a prompt.

    Returns:
        (tokens,) float32.

    >>> spread(torch.tensor([3.0, -1.0]), [range(0, 3), range(3, 4)])
    tensor([ 1.,  1.,  1., -1.])
    """
    lengths = torch.tensor([len(each) for each in chunks])
    return (scores.float() / lengths).repeat_interleave(lengths)


def _even(part: range, chunk: int) -> list[range]:
    """Pieces of at most ``chunk`` tokens whose lengths differ by 1 at most, so that no piece is a remainder of a few tokens."""
    pieces = -(-len(part) // chunk)
    ends = [len(part) * number // pieces for number in range(pieces + 1)]
    return [part[start:stop] for start, stop in pairwise(ends)]


def _sentences(part: range, texts: Sequence[str]) -> list[range]:
    """Sentences of a part of the prompt. A token belongs to the sentence that ends in it."""
    ends, length = [], 0  # characters up to the end of each token
    for text in texts:
        length += len(text)
        ends.append(length)
    stops = {len(texts)}
    for found in SENTENCE_END.finditer("".join(texts)):
        last = bisect_left(ends, found.end("end"))  # the token of the sentence's last character
        blank = bisect_right(ends, found.end()) - 1  # the last that has nothing but the line breaks behind it
        while blank > last and not texts[blank]:  # the first of several tokens that make a character
            blank -= 1
        stops.add(max(last, blank) + 1)
    ordered = [0, *sorted(stops)]
    return [part[start:stop] for start, stop in pairwise(ordered) if stop > start]
