"""F1 over words between an answer and a reference."""

import re
import string
from collections import Counter

WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)  # of ASCII


def answer_f1(prediction: str, answer: str) -> float:
    """Harmonic mean of precision and recall of the words, each counted as often as it occurs.

    Words are compared in lower case, without punctuation and without a, an, the: "U.S." becomes "us", "well-known"
    becomes "wellknown". An answer that is left without words has F1 0, even against itself.

    Args:
        prediction: what the model answered.
        answer: the right answer.

    Returns:
        In [0, 1].

    Source: Rajpurkar et al. 2016 (SQuAD), https://arxiv.org/abs/1606.05250, as LongBench has it (``qa_f1_score``),
    https://github.com/THUDM/LongBench/blob/main/LongBench/metrics.py.

    >>> answer_f1("It was the Eiffel Tower.", "Eiffel Tower, Paris")
    0.5714285714285715
    """
    said, right = Counter(plain_words(prediction)), Counter(plain_words(answer))
    common = (said & right).total()
    if not common:
        return 0.0
    precision, recall = common / said.total(), common / right.total()
    return 2 * precision * recall / (precision + recall)


def plain_words(text: str) -> list[str]:
    """The words of a text in lower case, without ASCII punctuation and without a, an, the.

    >>> plain_words("The U.S. -- a well-known case")
    ['us', 'wellknown', 'case']
    """
    plain = text.lower().translate(WITHOUT_PUNCTUATION)
    return re.sub(r"\b(?:a|an|the)\b", " ", plain).split()
