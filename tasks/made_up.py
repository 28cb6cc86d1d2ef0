"""Made-up words, code words, variable names and numbers, without repetition."""

import random
from collections.abc import Callable, Iterator
from string import ascii_lowercase, ascii_uppercase

CONSONANTS, VOWELS = "bcdfghjklmnprstvwz", "aeiou"


def words(draw: random.Random) -> Iterator[str]:
    """Pronounceable words of five letters: "tomak", "wabig"; there are 145,800."""
    return _different(draw, (CONSONANTS, VOWELS, CONSONANTS, VOWELS, CONSONANTS))


def letters(draw: random.Random, length: int, *, capital: bool = False) -> Iterator[str]:
    """Strings of ``length`` random letters."""
    return _different(draw, (ascii_uppercase if capital else ascii_lowercase,) * length)


def numbers(draw: random.Random, digits: int) -> Iterator[str]:
    """Numbers that do not start with 0."""
    return _different(draw, ("123456789", *("0123456789",) * (digits - 1)))


def _different(draw: random.Random, alphabets: tuple[str, ...]) -> Iterator[str]:
    """Distinct texts with one letter of each alphabet, until all are used.

    All have the same length, so none is a substring of another, which grading by substring needs.
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
