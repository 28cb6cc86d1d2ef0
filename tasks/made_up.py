"""Words, code words, variables and numbers that mean nothing, each of them once."""

import random
from collections.abc import Callable, Iterator
from string import ascii_lowercase, ascii_uppercase

CONSONANTS, VOWELS = "bcdfghjklmnprstvwz", "aeiou"


def words(draw: random.Random) -> Iterator[str]:
    """Pronounceable words of five letters: "tomak", "wabig"; there are 145,800."""
    return _different(draw, (CONSONANTS, VOWELS, CONSONANTS, VOWELS, CONSONANTS))


def letters(draw: random.Random, length: int, *, capital: bool = False) -> Iterator[str]:
    """Any letters of the alphabet in a row."""
    return _different(draw, (ascii_uppercase if capital else ascii_lowercase,) * length)


def numbers(draw: random.Random, digits: int) -> Iterator[str]:
    """Numbers that do not start with 0."""
    return _different(draw, ("123456789", *("0123456789",) * (digits - 1)))


def _different(draw: random.Random, alphabets: tuple[str, ...]) -> Iterator[str]:
    """Texts with one letter out of each alphabet, until there are no more.

    All are of one length, so none is part of another: an answer that is searched for is not found by accident.
    """
    pick: Callable[[str], str] = draw.choice
    seen: set[str] = set()
    most = 1
    for alphabet in alphabets:
        most *= len(alphabet)
    while len(seen) < most:
        text = "".join(map(pick, alphabets))
        if text not in seen:
            seen.add(text)
            yield text
