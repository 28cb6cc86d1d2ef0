"""The scores for own prompts: values by hand, and F1 and exact match as each other's check."""

import pytest

from tokenrank.tasks.grading.answer_f1 import answer_f1
from tokenrank.tasks.grading.exact_match import exact_match
from tokenrank.tasks.grading.own_scores import SCORES, best_score, can_be_met, contains


@pytest.mark.parametrize(
    ("prediction", "answer", "value"),
    [
        ("Paris", "paris", 1.0),
        (" the  PARIS.\n", "Paris", 1.0),
        ("Paris, France", "Paris", 0.0),
        ("France Paris", "Paris France", 0.0),
        ("", "Paris", 0.0),
        ("", "", 0.0),
        ("the", "a", 0.0),
        ("3.5", "35", 1.0),  # punctuation is removed, as SQuAD does
    ],
)
def test_exact_match_compares_words_in_their_order(prediction: str, answer: str, value: float) -> None:
    assert exact_match(prediction, answer) == value
    if value:
        assert answer_f1(prediction, answer) == 1.0


@pytest.mark.parametrize(
    ("prediction", "answer", "value"),
    [("in PARIS now", "Paris", 1.0), ("in Pa ris", "Paris", 0.0), ("comparison", "Paris", 1.0), ("x", " X\n", 1.0)],
)
def test_contains_looks_for_a_substring(prediction: str, answer: str, value: float) -> None:
    """Words are not told apart: "comparison" holds "paris"."""
    assert contains(prediction, answer) == value


def test_the_best_right_answer_counts() -> None:
    assert best_score("f1", "red door", ("blue", "red box", "green")) == 0.5
    assert best_score("contains", "red door", ("blue", "green")) == 0.0


@pytest.mark.parametrize("score", SCORES)
def test_an_answer_with_words_can_be_met_and_a_blank_one_cannot(score: str) -> None:
    assert can_be_met(score, "Eiffel Tower. Paris")
    assert not can_be_met(score, " \n")
