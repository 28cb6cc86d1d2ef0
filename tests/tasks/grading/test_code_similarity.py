"""Code similarity: which line counts, and its ratio against a recursion written out."""

import random

import pytest

from tokenrank.tasks.grading.code_similarity import code_similarity

LINE = "    return total"


@pytest.mark.parametrize(
    "prediction",
    [
        LINE,
        f"\n\n{LINE}",
        f"{LINE}\n    # done\n    x = 1",
        f"```python\n{LINE}\n```",
        f"\n# sum it up\n// in C\nuse `total`\n{LINE}",
    ],
)
def test_the_first_line_of_code_counts(prediction: str) -> None:
    assert code_similarity(prediction, LINE) == 1


@pytest.mark.parametrize("prediction", ["", "\n\n", f"{LINE}  # done", f"# sum it up\n\n{LINE}", "```\n```"])
def test_a_blank_line_or_none_has_grade_0(prediction: str) -> None:
    assert code_similarity(prediction, LINE) == 0


def test_two_empty_lines_are_the_same() -> None:
    assert code_similarity("# only a comment", "") == 1


@pytest.mark.parametrize(
    ("prediction", "answer", "wanted"),
    [
        ("return x", "return y", 0.88),  # 7 characters of 8 and 8: 14 / 16
        ("axxxxxxx", "ayyyyyyy", 0.12),  # 2 / 16 = 12.5 percent, to even
        ("aaaxxxxx", "aaayyyyy", 0.38),  # 6 / 16 = 37.5 percent, to even
        ("abc", "cadb", 0.57),  # the prediction is read first: its a, then its b behind that
        ("cadb", "abc", 0.29),  # its c first, and nothing behind that
        ("A L I E N S", "A S A L", 0.33),  # 0.44 with python-Levenshtein
    ],
)
def test_the_ratio_by_hand(prediction: str, answer: str, wanted: float) -> None:
    assert code_similarity(prediction, answer) == wanted


def matching(one: str, other: str) -> int:
    """Characters of the longest common block, the first of the equally long ones, and of those left and right of it."""
    blocks = (
        (size, -i, -j)
        for i in range(len(one))
        for j in range(len(other))
        for size in range(1, min(len(one) - i, len(other) - j) + 1)
        if one[i : i + size] == other[j : j + size]
    )
    size, i, j = max(blocks, default=(0, 0, 0))
    i, j = -i, -j
    return size and matching(one[:i], other[:j]) + size + matching(one[i + size :], other[j + size :])


def test_the_ratio_is_that_of_matching_blocks() -> None:
    draw = random.Random(0)
    for _ in range(300):
        one, other = ("".join(draw.choices("ab(x", k=draw.randrange(1, 20))) for _ in range(2))
        wanted = round(200 * matching(one, other) / (len(one) + len(other))) / 100
        assert code_similarity(one, other) == wanted


def test_in_a_long_answer_no_match_starts_at_a_frequent_character() -> None:
    assert code_similarity("c" + "ab" * 99, "ab" * 99) == 1  # 396 of 397 characters, rounded
    assert code_similarity("c" + "ab" * 100, "ab" * 100) == 0
