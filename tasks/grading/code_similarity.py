"""Code similarity: edit similarity between the answer's first line of code and the reference."""

from difflib import SequenceMatcher

NO_CODE = ("`", "#", "//")  # a fence or a comment


def code_similarity(prediction: str, answer: str) -> float:
    r"""Twice the characters in matching blocks, divided by the characters of both lines, rounded to whole percent.

    Of the prediction, after the line breaks in front, only the first line counts that holds no backtick, no # and no
    //; it may be blank, and is empty where there is none. Halves are rounded to even.

    The ratio is that of ``difflib``, prediction first. LongBench calls fuzzywuzzy's ``ratio``, which is this one where
    python-Levenshtein is not installed, and LongBench's requirements do not name it; with it, or with rapidfuzz, the
    numbers are others (0.44 in place of 0.33 for "A L I E N S" and "A S A L"). In an answer of 200 characters or more
    ``difflib`` starts no match at frequent ones; that is kept.

    Args:
        prediction: what the model answered.
        answer: the right line.

    Returns:
        In [0, 1].

    Source: LongBench's ``code_sim_score``, https://github.com/THUDM/LongBench/blob/main/LongBench/metrics.py.

    >>> code_similarity("```python\nreturn x", "return y")
    0.88
    """
    lines = prediction.lstrip("\n").split("\n")
    line = next((line for line in lines if not any(mark in line for mark in NO_CODE)), "")
    return round(100 * SequenceMatcher(None, line, answer).ratio()) / 100
