"""Filler text that is unrelated to the question, and the tokens of the prompt around it."""

import random

from transformers import PreTrainedTokenizerBase as Tokenizer

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


def frame(tokenizer: Tokenizer, final: FinalText) -> tuple[list[int], list[int]]:
    """Token ids of a prompt before and after its ``MARK``; special tokens that the tokenizer adds are at the prompt's two ends.

    Raises:
        ValueError: the text does not hold the mark exactly once.
    """
    times = final.text.count(MARK)
    if times != 1:
        raise ValueError(f"the model's chat template holds the user's message {times} times, must hold it once")
    place = next(number for number, piece in enumerate(final.pieces) if MARK in piece.text)
    head, tail = (Piece(text) for text in final.pieces[place].text.split(MARK))
    before, after = added_tokens(tokenizer) if final.bare else ([], [])
    return (
        before + piece_ids(tokenizer, (*final.pieces[:place], head)),
        piece_ids(tokenizer, (tail, *final.pieces[place + 1 :]), start=False) + after,
    )
