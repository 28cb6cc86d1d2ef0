"""Retrieval: the share of numbers that are the right paragraph's."""

import pytest

from tokenrank.tasks.grading.passage_retrieval import passage_retrieval


@pytest.mark.parametrize(
    ("prediction", "wanted"),
    [
        ("Paragraph 12", 1),
        ("12", 1),
        ("The answer is paragraph 12.\n\nParagraph 12", 1),
        ("Paragraph 12 or Paragraph 3", 1 / 2),
        ("Paragraphs 1-12", 1 / 2),
        ("Paragraph 1", 0),
        ("Paragraph 121", 0),
        ("Paragraph twelve", 0),
        ("", 0),
    ],
)
def test_it_is_the_share_of_numbers_that_are_the_paragraphs(prediction: str, wanted: float) -> None:
    assert passage_retrieval(prediction, "Paragraph 12") == wanted


def test_the_first_paragraph_of_the_answer_is_the_right_one() -> None:
    assert passage_retrieval("2", "Out of 30: Paragraph 2, not Paragraph 4") == 1
    assert passage_retrieval("4", "Out of 30: Paragraph 2, not Paragraph 4") == 0


@pytest.mark.parametrize("answer", ["12", "paragraph 12", "Paragraph", ""])
def test_an_answer_without_paragraph_is_refused(answer: str) -> None:
    with pytest.raises(ValueError, match=rf"answer is '{answer}', must hold 'Paragraph N'"):
        passage_retrieval("12", answer)
