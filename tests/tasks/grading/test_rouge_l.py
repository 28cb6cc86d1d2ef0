"""ROUGE-L against the package that LongBench calls, by hand, and where the package gives up."""

import random
from itertools import pairwise

import pytest
from rouge import Rouge

from tokenrank.tasks.grading.rouge_l import rouge_l

PARTS = ["red ", "blue ", "Blue ", "green ", "dog, ", "3.5 ", ".", ". ", ". . ", "\n", "größer ", "..."]


@pytest.mark.parametrize(
    ("prediction", "answer", "wanted"),
    [
        ("a b c d", "a b c d", 1),
        ("a b c d", "a c e", 2 * 2 / (4 + 3)),
        ("b a", "a b", 2 * 1 / (2 + 2)),  # the order counts
        ("b. a", "a. b", 1),  # that of the sentences does not
        ("a a a", "a", 1),  # a word counts once
        ("A", "a", 0),
        ("w1 w2 w6 w7 w8.w1 w3 w8 w9 w5", "w1 w2 w3 w4 w5", 2 * 4 / (8 + 5)),  # w1 w2 and w1 w3 w5, as in Lin's paper
    ],
)
def test_words_in_the_same_order(prediction: str, answer: str, wanted: float) -> None:
    assert rouge_l(prediction, answer) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("prediction", "answer"), [("", ""), ("", "a"), ("a", ""), ("...", "a"), ("a", "."), (" ", "a")]
)
def test_an_empty_text_has_grade_0(prediction: str, answer: str) -> None:
    assert rouge_l(prediction, answer) == 0


def test_white_space_between_full_stops_is_one_empty_word() -> None:
    assert rouge_l("a.\n", "a.") == pytest.approx(2 / 3)
    assert rouge_l("a. ", "a. ") == 1


def theirs(prediction: str, answer: str) -> float:
    return float(Rouge().get_scores([prediction], [answer], avg=True)["rouge-l"]["f"])


def test_it_is_the_packages() -> None:
    draw = random.Random(0)
    texts = ["".join(draw.choices(PARTS, k=draw.randrange(1, 30))) for _ in range(2000)]
    texts = [text for text in texts if text.strip(".")]
    found, wanted = ([score(*pair) for pair in pairwise(texts)] for score in (rouge_l, theirs))
    assert found == pytest.approx(wanted, rel=0, abs=6e-9)
    assert len(set(found)) > 20


def test_of_two_longest_subsequences_it_is_the_packages() -> None:
    """Of "b a" and "a b" either word could be the longest common subsequence; the package finds b."""
    for prediction, wanted in [("b a.a", 1), ("b a.b", 1 / 2)]:
        assert rouge_l(prediction, "a b") == wanted
        assert theirs(prediction, "a b") == pytest.approx(wanted)


def test_long_sentences_that_break_the_package_have_a_grade() -> None:
    prediction, answer = "k " + "v " * 600, "k " + "u " * 600
    with pytest.raises(RecursionError):
        theirs(prediction, answer)
    assert rouge_l(prediction, answer) == 2 * 1 / (2 + 2)
    words = " ".join(f"w{number}" for number in range(5000))
    assert rouge_l(words, words) == 1
