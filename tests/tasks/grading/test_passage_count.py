"""Counting: the share of numbers that are right, and what a number is."""

import pytest

from tokenrank.tasks.grading.passage_count import passage_count


@pytest.mark.parametrize(
    ("prediction", "wanted"),
    [
        ("5", 1),
        ("There are 5.", 1),
        ("5, and again 5", 1),
        ("5 of 12", 1 / 2),
        ("1, 2, 3, 4 and 5", 1 / 5),
        ("3.5", 1 / 2),
        ("15", 0),
        ("55", 0),
        ("05", 0),
        ("five", 0),
        ("", 0),
    ],
)
def test_it_is_the_share_of_right_numbers(prediction: str, wanted: float) -> None:
    assert passage_count(prediction, "5") == pytest.approx(wanted)


def test_a_very_long_answer_has_a_grade() -> None:
    assert passage_count("5 6 " * 50_000, "5") == 1 / 2
