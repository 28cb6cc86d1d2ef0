"""The F1 of words: cases worked by hand, and what becomes of punctuation, articles and repeated words."""

import pytest

from tokenrank.tasks.grading.answer_f1 import answer_f1


@pytest.mark.parametrize(
    ("prediction", "answer", "wanted"),
    [
        ("Paris", "Paris", 1),
        ("in Paris, France", "Paris", 2 * (1 / 3) / (1 / 3 + 1)),  # precision 1/3, recall 1
        ("Paris", "Paris, France", 2 / 3),  # precision 1, recall 1/2
        ("no no yes", "no", 1 / 2),  # one of the two counts
        ("no no yes", "no no", 4 / 5),  # precision 2/3, recall 1
        ("London", "Paris", 0),
        ("", "Paris", 0),
        ("Paris", "", 0),
        ("", "", 0),
    ],
)
def test_precision_and_recall_of_words(prediction: str, answer: str, wanted: float) -> None:
    assert answer_f1(prediction, answer) == pytest.approx(wanted)
    assert answer_f1(answer, prediction) == pytest.approx(wanted)


@pytest.mark.parametrize(
    "prediction", ["an APPLE's core", "The apples\n\tcore.", "apples core", "the, a, an: 'apples core'"]
)
def test_case_punctuation_articles_and_white_space_do_not_count(prediction: str) -> None:
    assert answer_f1(prediction, "apples core") == 1


@pytest.mark.parametrize(
    ("prediction", "answer"), [("well-known", "well known"), ("«Paris»", "Paris"), ("theatre", "atre")]
)
def test_joined_words_other_punctuation_and_parts_of_words_do_count(prediction: str, answer: str) -> None:
    assert answer_f1(prediction, answer) == 0


def test_an_answer_without_words_has_grade_0_even_against_itself() -> None:
    assert answer_f1("the", "the") == answer_f1("...", "...") == 0


def test_an_article_goes_after_its_punctuation() -> None:
    assert answer_f1("vitamin A.", "vitamin") == 1
    assert answer_f1("vitamin A1", "vitamin") == pytest.approx(2 / 3)
