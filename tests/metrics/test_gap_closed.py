"""The gap closed between random and oracle: by hand, its interval, and where there is none."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from tokenrank.metrics.gap_closed import gap_closed

FULL, ORACLE, CLAA, RANDOM = range(4)
SCORES = np.array([[1.0, 1.0, 0.7, 0.2], [1.0, 0.6, 0.5, 0.2], [1.0, 0.8, 0.3, 0.2]])  # three prompts
DRAW = np.random.default_rng(0)


def test_the_share_is_of_the_means() -> None:
    share, low, high = gap_closed(SCORES, RANDOM, ORACLE)
    assert share[CLAA] == pytest.approx((0.5 - 0.2) / (0.8 - 0.2))
    assert [share[ORACLE], low[ORACLE], high[ORACLE]] == pytest.approx([1, 1, 1])
    assert [share[RANDOM], low[RANDOM], high[RANDOM]] == pytest.approx([0, 0, 0])
    assert share[FULL] > 1
    assert low[CLAA] < share[CLAA] < high[CLAA]


def test_at_the_ends_students_t_has_p_5_percent() -> None:
    values = DRAW.random((12, 3)) * 0.4 + [0.1, 0.3, 0.6]  # random, claa, oracle
    share, low, high = (each[1] for each in gap_closed(values, low=0, high=2))
    for end in (low, high):
        rest = (values[:, 1] - values[:, 0]) - end * (values[:, 2] - values[:, 0])
        assert ttest_1samp(rest, 0).pvalue == pytest.approx(0.05)
    assert low < share < high


def test_the_true_share_is_inside_in_93_to_97_percent() -> None:
    inside, runs = 0, 2000
    for _ in range(runs):
        values = (DRAW.random((24, 3)) < [0.1, 0.5, 0.9]).astype(float)
        _, low, high = gap_closed(values, low=0, high=2)
        inside += int(low[1] <= 0.5 <= high[1])
    assert 0.93 < inside / runs < 0.97


def test_other_columns_do_not_matter() -> None:
    alone = gap_closed(SCORES[:, [RANDOM, CLAA, ORACLE]], 0, 2)
    beside = gap_closed(SCORES, RANDOM, ORACLE)
    assert [each[1] for each in alone] == [each[CLAA] for each in beside]


def test_without_a_gap_there_is_no_share() -> None:
    scores = SCORES.copy()
    scores[:, ORACLE] = 0.1
    assert np.isnan(gap_closed(scores, RANDOM, ORACLE)).all()


def test_where_the_gap_itself_may_be_zero_there_is_no_share_from_three_prompts_on() -> None:
    scores = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.5, 0.0]])  # oracle, claa, random
    assert np.isnan(gap_closed(scores, low=2, high=0)).all()
    share, low, high = gap_closed(scores[1:], low=2, high=0)  # two prompts show nothing of anything
    assert share[1] == pytest.approx(0.5)
    assert np.isnan([low, high]).all()


def test_a_method_that_equals_the_oracle_everywhere_has_no_interval() -> None:
    share, low, high = gap_closed(np.hstack([SCORES, SCORES[:, [ORACLE]]]), RANDOM, ORACLE)
    assert share[4] == pytest.approx(1)
    assert np.isnan([low[4], high[4]]).all()


def test_two_prompts_have_no_interval() -> None:
    share, low, high = gap_closed(SCORES[:2], RANDOM, ORACLE)
    assert share[CLAA] == pytest.approx(0.4 / 0.6)
    assert np.isnan([low, high]).all()
