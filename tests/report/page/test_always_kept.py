"""Tokens that an engine keeps in any case, by which it is not judged."""

from typing import Any

import numpy as np
import pytest

from tokenrank.records.token_levels import OUTSIDE, TokenLevels
from tokenrank.report.page.levels import always_kept


def levels(ranked: int) -> TokenLevels:
    """Of 20 tokens, the first of which are ranked."""
    truth = np.zeros((1, 20), np.uint8)
    truth[:, ranked:] = OUTSIDE
    return TokenLevels((10.0,), (0,), np.zeros((1, 20), np.float32), truth)


@pytest.mark.parametrize(
    ("ranked", "protect", "prompts", "stay"),
    [
        (20, "window", "aware", {17, 18, 19}),
        (20, "window", None, {17, 18, 19}),
        (20, "frame", "aware", {0, 1, 2, 3, *range(12, 20)}),
        (12, "window", "agnostic", {9, 10, 11, *range(12, 20)}),
        (12, "frame", "agnostic", {0, 1, 2, 3, 9, 10, 11, *range(12, 20)}),
    ],
)
def test_a_window_is_the_end_of_what_was_ranked(ranked: int, protect: str, prompts: Any, stay: set[int]) -> None:
    """A context of 8 tokens from the fifth on, and a window of 3."""
    found = always_kept(levels(ranked), protect, 3, 4, 8, prompts)
    assert set(found.nonzero()[0].tolist()) == stay
