"""RULER's needle and variable-tracking prompts: sentences hidden in filler text."""

import random
from collections.abc import Iterator, Set
from itertools import accumulate, islice

from tokenrank.tasks.haystack import Frame, haystack, sentence
from tokenrank.tasks.made_up import letters, numbers, words
from tokenrank.tasks.ruler_page import Page, Wording, Written
from tokenrank.tasks.tokens import tokens_of

DIGITS = 7
HOPS = 4  # assignments after the first
VALUE_DIGITS, NAME, EXAMPLE_NAME = 5, 5, 3  # digits of a variable's value, letters of its name


def niah(
    page: Page, draw: random.Random, *, keys: int = 1, values: int = 1, asked: int = 1, among_needles: bool = False
) -> Written:
    """Numbers of made-up names, hidden in a text: all numbers of the names asked for are the answers.

    Args:
        page: specification of the prompt.
        draw: source of all random choices.
        keys: names in the text.
        values: numbers of each name.
        asked: names asked for.
        among_needles: whether the text consists of such sentences about other names, as many as fit.
    """
    names, codes = (word.capitalize() for word in words(draw)), numbers(draw, DIGITS)
    table = {name: tuple(islice(codes, values)) for name in islice(names, keys)}
    wanted = list(table)[:asked]
    answers = tuple(code for name in wanted for code in table[name])
    needles = [_needle(name, code) for name, own in table.items() for code in own]
    draw.shuffle(needles)
    others = map(_needle, names, codes) if among_needles else None
    holding = {_needle(name, code) for name in wanted for code in table[name]}
    around = page.frame(_wording_of(wanted, several=len(answers) > 1))
    return _hide(page, draw, around, needles, answers, holding, others)


def vt(page: Page, draw: random.Random) -> Written:
    """A chain of assignments: one variable gets a number, four more copy it; the five names are the answer.

    The assignments are spread over the text in order. A worked example (shorter names, one sentence of haystack after
    each assignment) comes first.
    """
    values = numbers(draw, VALUE_DIGITS)
    shown, shown_value = list(islice(letters(draw, EXAMPLE_NAME, capital=True), HOPS + 1)), next(values)
    names, value = tuple(islice(letters(draw, NAME, capital=True), HOPS + 1)), next(values)
    passage = "".join(each + sentence(draw) for each in _chain(shown, shown_value)).strip()
    example = _tracking(shown_value).example(passage, " ".join(shown))
    chain = _chain(names, value)
    return _hide(page, draw, page.frame(_tracking(value), example), chain, names, set(chain))


def _needle(name: str, code: str) -> str:
    return f" One of the pass numbers of {name} is {code}."


def _wording_of(names: list[str], *, several: bool) -> Wording:
    whom = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    what, are = ("pass numbers", "are") if several else ("pass number", "is")
    return Wording(
        instruction=f"{'Some' if several else 'A'} {what} {are} hidden in the text below. Keep hold of what you "
        "find, the question comes after the text.\n\n",
        question=f"\n\nWhat {are} the {what} of {whom} in the text above?",
        opening=f"In the text above, the {what} of {whom} {are}",
    )


def _chain(names: list[str] | tuple[str, ...], value: str) -> list[str]:
    first = f" VAR {names[0]} = {value}."
    return [first, *(f" VAR {name} = VAR {names[i]}." for i, name in enumerate(names[1:]))]


def _tracking(value: str) -> Wording:
    return Wording(
        instruction="Variables are set in the text below, some of them to what another variable holds. Keep track of "
        "their values.\n\n",
        question=f"\n\nQuestion: Which variables of the text above hold {value}?",
        opening=f"Answer: By the assignments in the text above, these {HOPS + 1} variables hold {value}:",
    )


def _hide(
    page: Page,
    draw: random.Random,
    around: Frame,
    needles: list[str],
    answers: tuple[str, ...],
    holding: Set[str],
    others: Iterator[str] | None = None,
) -> Written:
    """The needles, in their order, at random places between the sentences of a haystack that fills the page exactly.

    Those that are ``holding`` something of the answer are its evidence.
    """
    hidden = [tokens_of(page.tokenizer, needle, start=False) for needle in needles]
    needed = len(around.head) + len(around.tail) + sum(map(len, hidden))
    page.check(needed)
    pieces = _filler(page, draw, page.length - needed, others)
    places = sorted(draw.sample(range(len(pieces) + len(hidden)), len(hidden)))
    for place, ids in zip(places, hidden, strict=True):
        pieces.insert(place, ids)
    ends = list(accumulate(map(len, pieces), initial=len(around.head)))
    evidence = [
        range(ends[place], ends[place + 1]) for place, needle in zip(places, needles, strict=True) if needle in holding
    ]
    passage = (token for piece in pieces for token in piece)
    return Written((*around.head, *passage, *around.tail), around.parts(page.length), answers, tuple(evidence))


def _filler(page: Page, draw: random.Random, tokens: int, others: Iterator[str] | None) -> list[list[int]]:
    """Pieces with exactly ``tokens`` tokens together: the ``others`` while they fit, then sentences of the haystack."""
    pieces: list[list[int]] = []
    for other in others or ():
        ids = tokens_of(page.tokenizer, other, start=False)
        if len(ids) > tokens:
            break
        pieces.append(ids)
        tokens -= len(ids)
    return pieces + haystack(page.tokenizer, draw, tokens)
