"""RULER's common-words and frequent-words prompts: lists in which some words occur more often than others."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count, islice, takewhile

from tokenrank.tasks.haystack import MARK
from tokenrank.tasks.layout import final_layout
from tokenrank.tasks.made_up import letters, words
from tokenrank.tasks.parts import Parts
from tokenrank.tasks.ruler_page import Page, Wording, Written
from tokenrank.tasks.tokens import FinalText, final_ids

COMMON, LEAST_OTHERS = 10, 10  # words
SHORT = 4096  # tokens: RULER repeats less below
NOISE, CODE, TOP = "...", 6, 3  # the most frequent "word", letters of a code word, how many are asked for
ZETA_2 = math.pi**2 / 6
LEAST_DRAWS = 74  # from here on the words of rank 2 to 5 have different counts

COMMON_WORDS = Wording(
    instruction="This is a numbered list of words. Some words stand in it more often than the others; keep those in "
    "mind.\n\n",
    question=f"\n\nQuestion: Which {COMMON} words stand most often in the list above?",
    opening=f"Answer: These {COMMON} words stand most often in the list:",
)
FREQUENT_WORDS = Wording(
    instruction="The text below is made of code words. Count how often each of them stands in it.\n\n",
    question=f"\n\nQuestion: Which {TOP} code words stand most often in the text above? Pay no attention to the dots, and "
    "explain nothing.",
    opening=f"Answer: These {TOP} code words stand most often in the text above:",
)


def cwe(page: Page, draw: random.Random) -> Written:
    """A numbered list: ten words occur 30 times each, as many others as fit (at least ten) 3 times each.

    A worked example comes first: ten words 10 times, thirty 3 times. Below 4,096 tokens it is 6 times and once, and in
    the example 3 times (ten words) and once (ten), as in RULER.

    The words are made up. An English list (RULER uses the package wonderwords and a second, larger list) would be one
    more dependency, ends at some length, and holds words that are part of others ("art", "cartoon"), which a grade by
    substring counts as found.
    """
    often, rest, shown_often, shown_rest, shown_others = (6, 1, 3, 1, 10) if page.length < SHORT else (30, 3, 10, 3, 30)
    supply = words(draw)
    common, shown, shown_more = (tuple(islice(supply, number)) for number in (COMMON, COMMON, shown_others))
    passage = _numbered(_shuffled([*shown * shown_often, *shown_more * shown_rest], draw.random()))
    example = COMMON_WORDS.example(passage, _numbered(shown))
    order = draw.random()
    others: list[str] = []

    def listed(number: int) -> str:
        others.extend(islice(supply, max(0, number - len(others))))
        return _numbered(_shuffled([*common * often, *others[:number] * rest], order))

    return Written(*_filled(page, COMMON_WORDS, example, listed, LEAST_OTHERS), common)


def fwe(page: Page, draw: random.Random) -> Written:
    """Code words with frequencies that fall as 1 / rank²; the first rank is dots, the next three are the answer.

    Of n draws rank k gets the whole part of n / (k² zeta(2)). RULER also bounds the number of different words by a
    fiftieth of the tokens, which is more than this formula ever reaches from about a thousand tokens on.
    """
    supply = letters(draw, CODE)
    answers = tuple(islice(supply, TOP))
    order = draw.random()
    ranked = [NOISE, *answers]

    def text(draws: int) -> str:
        counts = list(takewhile(bool, (int(draws / (rank**2 * ZETA_2)) for rank in count(1))))
        ranked.extend(islice(supply, max(0, len(counts) - len(ranked))))
        return " ".join(
            _shuffled(
                [word for word, times in zip(ranked[: len(counts)], counts, strict=True) for _ in range(times)], order
            )
        )

    return Written(*_filled(page, FREQUENT_WORDS, "", text, LEAST_DRAWS), answers)


def _shuffled(items: list[str], order: float) -> list[str]:
    random.Random(order).shuffle(items)
    return items


def _numbered(items: Sequence[str]) -> str:
    return " ".join(f"{number}. {item}" for number, item in enumerate(items, start=1))


def _filled(
    page: Page, wording: Wording, before: str, passage: Callable[[int], str], least: int
) -> tuple[tuple[int, ...], Parts]:
    """Token ids and parts of the longest text that fits the page, with a passage of size ``least`` or more."""
    text = page.text(wording, before)

    def tokens(size: int) -> int:
        return len(final_ids(page.tokenizer, _with(text, passage(size))))

    page.check(tokens(least))
    low, high = least, least * 2  # low fits; where high does not, the last size that fits is between them
    while high <= page.length and tokens(high) <= page.length:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if tokens(middle) <= page.length else (low, middle)
    words = passage(low)
    layout = final_layout(page.tokenizer, _with(text, words))
    return tuple(layout.ids), layout.tokens(_parts(text.text, words, wording.question.strip()))


def _with(text: FinalText, words: str) -> FinalText:
    pieces = tuple(replace(piece, text=piece.text.replace(MARK, words)) for piece in text.pieces)
    return replace(text, pieces=pieces)


def _parts(text: str, words: str, question: str) -> Parts:
    """Characters of the passage and of the question after it; none where a chat template holds the message several times."""
    if text.count(MARK) != 1:
        return Parts()
    passage = text.index(MARK)
    asked = text.index(question, passage) + len(words) - len(MARK)
    return Parts(range(passage, passage + len(words)), range(asked, asked + len(question)))
