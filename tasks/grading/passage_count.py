"""Counting: the fraction of the numbers in the answer that are right."""

import re


def passage_count(prediction: str, answer: str) -> float:
    """Share of the numbers in the prediction that equal the answer, digit by digit; 0 where it holds no number.

    Every run of digits is a number: "3.5" is two, and "05" is not "5".

    Args:
        prediction: what the model answered.
        answer: the right number, nothing else.

    Returns:
        In [0, 1].

    Source: LongBench's ``count_score``, https://github.com/THUDM/LongBench/blob/main/LongBench/metrics.py.

    >>> passage_count("I see 5 paragraphs, or 7 with the titles.", "5")
    0.5
    """
    numbers = re.findall(r"\d+", prediction)
    return numbers.count(answer) / len(numbers) if numbers else 0.0
