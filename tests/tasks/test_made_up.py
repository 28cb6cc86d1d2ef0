"""Made-up words: all different, none part of another, as many as said."""

import random
from itertools import islice

from tokenrank.tasks.made_up import letters, numbers, words


def test_words_are_different_and_of_one_length() -> None:
    many = list(islice(words(random.Random(0)), 20_000))
    assert len(set(many)) == 20_000
    assert {len(word) for word in many} == {5}


def test_all_there_are_come_once_and_then_it_ends() -> None:
    assert sorted(numbers(random.Random(0), 2)) == [str(number) for number in range(10, 100)]
    assert sorted(letters(random.Random(0), 1)) == list("abcdefghijklmnopqrstuvwxyz")
    assert len(list(words(random.Random(0)))) == 145_800


def test_the_seed_decides_and_fewer_are_the_first_of_more() -> None:
    few, more, other = (
        list(islice(letters(random.Random(seed), 4, capital=True), number)) for seed, number in ((1, 5), (1, 9), (2, 9))
    )
    assert few == more[:5]
    assert more != other
    assert all(word.isupper() for word in more)
