"""The scores that the user may choose for answers to prompts of their own, by name."""

from collections.abc import Callable, Sequence

from tokenrank.tasks.grading.answer_f1 import answer_f1
from tokenrank.tasks.grading.containing import any_found
from tokenrank.tasks.grading.exact_match import exact_match
from tokenrank.tasks.grading.rouge_l import rouge_l


def contains(prediction: str, answer: str) -> float:
    """1 if the answer is a substring of the prediction, ignoring case, else 0; white space at the answer's ends does not count.

    >>> contains("It is in PARIS, I think.", "Paris "), contains("Pa ris", "Paris")
    (1.0, 0.0)
    """
    return any_found(prediction, [answer.strip()])


SCORES: dict[str, Callable[[str, str], float]] = {
    "contains": contains,
    "f1": answer_f1,
    "rouge_l": rouge_l,
    "exact": exact_match,
}


def best_score(score: str, prediction: str, answers: Sequence[str]) -> float:
    """The score against that right answer which the prediction meets best.

    Args:
        score: one of ``SCORES``.
        prediction: what the model answered.
        answers: right ones, at least one.

    Returns:
        In [0, 1].
    """
    return max(SCORES[score](prediction, answer) for answer in answers)


def can_be_met(score: str, answer: str) -> bool:
    """Whether a prediction that is the answer itself gets the full score, which one without words does not.

    >>> can_be_met("f1", "42"), can_be_met("f1", "?!"), can_be_met("contains", "?!"), can_be_met("contains", " ")
    (True, False, True, False)
    """
    return bool(answer.strip()) and SCORES[score](answer, answer) == 1
