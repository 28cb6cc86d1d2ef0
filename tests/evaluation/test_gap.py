"""The gap closed between random and oracle: by hand, its interval, and where there is none."""

import math

import numpy as np
import pandas as pd
import pytest

from tokenrank.evaluation.gap import gap_closed

SCORES = pd.DataFrame({"full": [1.0, 1.0], "oracle": [1.0, 0.6], "claa": [0.7, 0.5], "random": [0.2, 0.2]})


def test_the_share_is_of_the_means() -> None:
    found = gap_closed(SCORES, "random", "oracle", seed=0, resamples=500)
    assert found["claa"][0] == pytest.approx((0.6 - 0.2) / (0.8 - 0.2))
    assert found["oracle"] == pytest.approx((1, 1, 1))
    assert found["random"] == pytest.approx((0, 0, 0))
    assert found["full"][0] > 1


def test_the_interval_takes_the_same_prompts_for_all_three() -> None:
    value, low, high = gap_closed(SCORES, "random", "oracle", seed=0, resamples=500)["claa"]
    shares = [
        (0.7 - 0.2) / (1.0 - 0.2),
        value,
        (0.5 - 0.2) / (0.6 - 0.2),
    ]  # the resamples of two prompts that there are
    assert low == pytest.approx(min(shares))
    assert high == pytest.approx(max(shares))


def test_without_a_gap_there_is_no_share() -> None:
    found = gap_closed(SCORES.assign(oracle=0.1), "random", "oracle", seed=0, resamples=50)
    assert all(math.isnan(each) for ends in found.values() for each in ends)


def test_where_some_resamples_see_no_gap_there_is_no_interval() -> None:
    scores = pd.DataFrame({"oracle": [0.0, 0.0, 1.0], "claa": [0.0, 0.0, 0.5], "random": [0.0, 0.0, 0.0]})
    value, low, high = gap_closed(scores, "random", "oracle", seed=0, resamples=500)["claa"]
    assert value == pytest.approx(0.5)
    assert np.isnan([low, high]).all()


def test_a_single_prompt_has_no_interval() -> None:
    value, low, high = gap_closed(SCORES.iloc[:1], "random", "oracle", seed=0, resamples=50)["claa"]
    assert value == pytest.approx(0.5 / 0.8)
    assert np.isnan([low, high]).all()
