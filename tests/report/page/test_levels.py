"""Packing of levels, percentiles of the truth, and verdicts on what an engine kept."""

import base64
import zlib

import numpy as np
import pytest

from tests.report.page_examples import TOKENS, WINDOW, best, levels_of, scores_of, token_levels
from tokenrank.records.token_levels import TokenLevels
from tokenrank.report.page.levels import ALWAYS, FOUND, MISSED, NOTHING, WRONG, packed_levels, percentiles, verdicts


def unpacked(text: str, base: int, cells: int) -> list[int]:
    """Digit by digit, as the page does."""
    count = max(n for n in range(1, 9) if base**n <= 256)
    found = []
    for byte in zlib.decompress(base64.b64decode(text)):
        digits = []
        for _ in range(count):
            byte, digit = divmod(byte, base)
            digits.append(digit)
        found += digits[::-1]
    return found[:cells]


def test_levels_come_back_token_after_token() -> None:
    levels = levels_of(scores_of(0).rankings["claa"])
    found = unpacked(packed_levels(levels, [0, 1, 2, 3], 4), 5, levels.size)
    assert np.array_equal(
        np.array(found).reshape(levels.shape[1], levels.shape[0]).T, np.where(levels == 255, 0, levels)
    )


@pytest.mark.parametrize(("place", "k"), [(0, 5.0), (1, 10.0), (3, 40.0)])
def test_one_k_alone_is_whether_a_token_is_among_the_best(place: int, k: float) -> None:
    rows = scores_of(1).rankings["gemfilter"]
    found = np.array(unpacked(packed_levels(levels_of(rows), [place], 4), 2, rows.size)).reshape(TOKENS, len(rows))
    assert [set(np.flatnonzero(found[:, row])) for row in range(len(rows))] == [best(scores, k) for scores in rows]


def test_percentiles_are_the_share_of_less_important_tokens() -> None:
    levels = token_levels(scores_of(2), None)
    found = percentiles(levels)
    assert found is not None
    ranked = levels.importance[0, : TOKENS - WINDOW]
    expected = [round(255 * sum(other < own for other in ranked) / (len(ranked) - 1)) for own in ranked]
    assert found.tolist() == expected + [0] * WINDOW


def test_percentiles_of_a_context_are_among_its_tokens() -> None:
    """Tokens 1 to 3 of 5 are ranked."""
    levels = np.array([[255, 1, 0, 0, 255]], np.uint8)
    found = percentiles(TokenLevels((33.0,), (0,), np.array([[9, 3, 1, 2, 9]], np.float32), levels))
    assert found is not None
    assert found.tolist() == [0, 255, 0, 128, 0]


def test_truths_of_single_layers_have_no_percentile() -> None:
    rows = np.stack([scores_of(0).truth, scores_of(1).truth])
    assert percentiles(TokenLevels((10.0,), (0, 1), rows, np.zeros(rows.shape, np.uint8))) is None


def test_verdicts_compare_with_as_many_of_the_best_and_do_not_judge_what_always_stays() -> None:
    importance = np.array([[0.9, 0.1, 0.8, 0.2, 0.7, 0.3]], np.float32)
    levels = TokenLevels((50.0,), (0,), importance, np.zeros((1, 6), np.uint8))
    stay = np.array([False, False, False, False, False, True])
    assert verdicts(levels, [0, 1, 5], stay).tolist() == [FOUND, WRONG, MISSED, NOTHING, NOTHING, ALWAYS]
    assert verdicts(levels, [0, 2, 4, 5], stay).tolist() == [FOUND, NOTHING, FOUND, NOTHING, FOUND, ALWAYS]
    assert verdicts(levels, [], stay).tolist() == [NOTHING] * 6


def test_a_truth_for_each_layer_is_averaged_for_verdicts() -> None:
    importance = np.array([[0.0, 0.6, 0.5], [1.0, 0.0, 0.4]], np.float32)  # means 0.5, 0.3, 0.45
    levels = TokenLevels((50.0,), (0, 1), importance, np.zeros((2, 3), np.uint8))
    assert verdicts(levels, [1, 2], np.zeros(3, bool)).tolist() == [MISSED, WRONG, FOUND]
