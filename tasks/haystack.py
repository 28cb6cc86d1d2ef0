"""Filler text that is unrelated to the question, and the tokens of the prompt around it."""

import random
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.tasks.layout import piece_layout
from tokenrank.tasks.parts import Parts
from tokenrank.tasks.tokens import FinalText, Piece, added_tokens, piece_ids, tokens_of

MARK = "\x00"  # placeholder of the filler text while the chat template is applied

WHO = ("The gardener", "An old teacher", "The postman", "A young painter", "The mayor", "Her neighbour", "The baker")
DID = ("walked past", "took a picture of", "talked about", "waited beside", "repaired", "forgot about", "looked for")
WHAT = (
    "the stone bridge",
    "a wooden cart",
    "the empty square",
    "the railway clock",
    "a blue bicycle",
    "the mill wheel",
)
WHEN = ("before breakfast", "on a rainy Tuesday", "late in the autumn", "while the bells rang", "during the market")
WHY = (
    "because the weather was about to change",
    "and nobody in the street seemed to mind",
    "although there were better things to do",
    "so the children had something to talk about",
    "as people there have done for many years",
    "and then went home without another word",
)


def sentence(draw: random.Random) -> str:
    """One sentence of the haystack, a space in front and a full stop at the end."""
    words = " ".join(draw.choice(part) for part in (WHO, DID, WHAT, WHEN, WHY))
    return f" {words}."


def haystack(tokenizer: Tokenizer, draw: random.Random, tokens: int) -> list[list[int]]:
    """Sentences with exactly ``tokens`` tokens in all; the last sentence is truncated."""
    sentences: list[list[int]] = []
    while tokens > 0:
        ids = tokens_of(tokenizer, sentence(draw), start=False)[:tokens]
        sentences.append(ids)
        tokens -= len(ids)
    return sentences


class Frame(NamedTuple):
    """Token ids of a prompt around its haystack."""

    head: list[int]
    tail: list[int]
    question: range  # positions in the tail of the tokens that hold the question

    def parts(self, length: int) -> Parts:
        """Context and question of a prompt of ``length`` tokens: all that is between head and tail is its context."""
        tail = length - len(self.tail)
        return Parts(range(len(self.head), tail) or None, Parts(question=self.question).shifted(tail).question)


def frame(tokenizer: Tokenizer, final: FinalText, question: str = "") -> Frame:
    """Token ids of a prompt before and after its ``MARK``; special tokens that the tokenizer adds are at the prompt's two ends.

    Args:
        tokenizer: the model's.
        final: the text with the mark.
        question: it stands behind the mark.

    Raises:
        ValueError: the text does not hold the mark exactly once.
    """
    times = final.text.count(MARK)
    if times != 1:
        raise ValueError(f"the model's chat template holds the user's message {times} times, must hold it once")
    place = next(number for number, piece in enumerate(final.pieces) if MARK in piece.text)
    head, tail = (Piece(text) for text in final.pieces[place].text.split(MARK))
    before, after = added_tokens(tokenizer) if final.bare else ([], [])
    behind = piece_layout(tokenizer, (tail, *final.pieces[place + 1 :]), start=False)
    asked = tail.text.index(question)
    return Frame(
        before + piece_ids(tokenizer, (*final.pieces[:place], head)),
        behind.ids + after,
        behind.tokens(Parts(question=range(asked, asked + len(question)))).question or range(0),
    )
