"""Filler text that is unrelated to the question, and the tokens of the prompt around it."""

import random

from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.tasks.tokens import encode, tokens_of

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
        ids = tokens_of(tokenizer, sentence(draw))[:tokens]
        sentences.append(ids)
        tokens -= len(ids)
    return sentences


def frame(tokenizer: Tokenizer, text: str) -> tuple[list[int], list[int]]:
    """Token ids of a prompt before and after its ``MARK``.

    Raises:
        ValueError: the text does not hold the mark exactly once.
    """
    parts = text.split(MARK)
    if len(parts) != 2:
        raise ValueError(
            f"the model's chat template holds the user's message {len(parts) - 1} times, must hold it once"
        )
    before, after = parts
    return encode(tokenizer, before), tokens_of(tokenizer, after)
