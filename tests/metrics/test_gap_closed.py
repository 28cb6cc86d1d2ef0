"""The gap closed between random and oracle: by hand, its interval, and where there is none."""

import numpy as np
import pytest

from tokenrank.metrics.gap_closed import gap_closed

FULL, ORACLE, CLAA, RANDOM = range(4)
SCORES = np.array([[1.0, 1.0, 0.7, 0.2], [1.0, 0.6, 0.5, 0.2]])  # two prompts


def test_the_share_is_of_the_means() -> None:
    share, low, high = gap_closed(SCORES, RANDOM, ORACLE, seed=0, resamples=500)
    assert share[CLAA] == pytest.approx((0.6 - 0.2) / (0.8 - 0.2))
    assert [share[ORACLE], low[ORACLE], high[ORACLE]] == pytest.approx([1, 1, 1])
    assert [share[RANDOM], low[RANDOM], high[RANDOM]] == pytest.approx([0, 0, 0])
    assert share[FULL] > 1


def test_the_interval_takes_the_same_prompts_for_all_three() -> None:
    share, low, high = (each[CLAA] for each in gap_closed(SCORES, RANDOM, ORACLE, seed=0, resamples=500))
    resampled = [(0.7 - 0.2) / (1.0 - 0.2), share, (0.5 - 0.2) / (0.6 - 0.2)]  # all resamples of two prompts
    assert low == pytest.approx(min(resampled))
    assert high == pytest.approx(max(resampled))


def test_the_interval_is_that_of_a_slow_bootstrap() -> None:
    draw = np.random.default_rng(0)
    values = draw.random((40, 3)) * 0.2 + [0.7, 0.4, 0.1]
    means = np.array([values[draw.integers(0, 40, size=40)].mean(axis=0) for _ in range(5000)])
    wanted = np.percentile((means[:, 1] - means[:, 2]) / (means[:, 0] - means[:, 2]), [2.5, 97.5])
    _, low, high = gap_closed(values, low=2, high=0, seed=1, resamples=5000)
    assert [low[1], high[1]] == pytest.approx(wanted.tolist(), abs=0.005)


def test_other_columns_do_not_matter() -> None:
    alone = gap_closed(SCORES[:, [RANDOM, CLAA, ORACLE]], 0, 2, seed=0, resamples=100)
    beside = gap_closed(SCORES, RANDOM, ORACLE, seed=0, resamples=100)
    assert [each[1] for each in alone] == [each[CLAA] for each in beside]


def test_without_a_gap_there_is_no_share() -> None:
    scores = SCORES.copy()
    scores[:, ORACLE] = 0.1
    assert np.isnan(gap_closed(scores, RANDOM, ORACLE, seed=0, resamples=50)).all()


def test_if_some_resamples_have_no_gap_there_is_no_interval() -> None:
    scores = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.5, 0.0]])  # oracle, claa, random
    share, low, high = gap_closed(scores, low=2, high=0, seed=0, resamples=500)
    assert share[1] == pytest.approx(0.5)
    assert np.isnan([low, high]).all()


def test_a_single_prompt_has_no_interval() -> None:
    share, low, high = gap_closed(SCORES[:1], RANDOM, ORACLE, seed=0, resamples=50)
    assert share[CLAA] == pytest.approx(0.5 / 0.8)
    assert np.isnan([low, high]).all()
