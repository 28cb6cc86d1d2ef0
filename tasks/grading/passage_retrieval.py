"""Retrieval: the fraction of the numbers in the answer that name the right paragraph."""

import re

from tokenrank.tasks.grading.passage_count import passage_count


def passage_retrieval(prediction: str, answer: str) -> float:
    """Share of the numbers in the prediction that are the right paragraph's; the word Paragraph need not be there.

    Args:
        prediction: what the model answered.
        answer: holds "Paragraph N"; the first counts if there are more.

    Returns:
        In [0, 1]; 0 where the prediction holds no number.

    Raises:
        ValueError: the answer names no paragraph.

    Source: LongBench's ``retrieval_score``, https://github.com/THUDM/LongBench/blob/main/LongBench/metrics.py.

    >>> passage_retrieval("Paragraph 12, perhaps paragraph 3", "Paragraph 12")
    0.5
    """
    right = re.search(r"Paragraph (\d+)", answer)
    if right is None:
        raise ValueError(f"answer is {answer!r}, must hold 'Paragraph N'")
    return passage_count(prediction, right[1])
