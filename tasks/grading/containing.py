"""Substring match: the fraction of the references that an answer contains."""

from collections.abc import Sequence


def share_found(answer: str, references: Sequence[str]) -> float:
    """Fraction of the references that are substrings of the answer, ignoring case.

    Args:
        answer: the model's answer.
        references: at least one.

    Returns:
        In [0, 1].

    Source: ``string_match_all`` of RULER, Hsieh et al. 2024, https://arxiv.org/abs/2404.06654.

    >>> share_found("they are abc and XYZ", ["ABC", "def"])
    0.5
    """
    return sum(reference.lower() in answer.lower() for reference in references) / len(references)


def any_found(answer: str, references: Sequence[str]) -> float:
    """1 if at least one of the references is a substring of the answer, ignoring case, else 0.

    Source: ``string_match_part`` of RULER, used for its questions about documents.

    >>> any_found("in paris, I think", ["Paris", "the capital of France"])
    1.0
    """
    return float(share_found(answer, references) > 0)
