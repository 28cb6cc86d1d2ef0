"""Exact match: whether the answer is the reference, but for case, punctuation and articles."""

from tokenrank.tasks.grading.answer_f1 import plain_words


def exact_match(prediction: str, answer: str) -> float:
    """1 if prediction and answer are the same words in the same order, else 0.

    Words are those of ``answer_f1``: in lower case, without ASCII punctuation and without a, an, the, divided by white
    space. An answer that is left without words has 0, even against itself, as its F1 has.

    Args:
        prediction: what the model answered.
        answer: the right answer.

    Returns:
        0 or 1.

    Source: Rajpurkar et al. 2016 (SQuAD), https://arxiv.org/abs/1606.05250.

    >>> exact_match(" The Eiffel tower.", "Eiffel Tower"), exact_match("Eiffel Tower, Paris", "Eiffel Tower")
    (1.0, 0.0)
    """
    right = plain_words(answer)
    return float(bool(right) and plain_words(prediction) == right)
