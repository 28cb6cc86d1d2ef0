"""The sign-flip test: by hand, against a slow version, interval and p that agree, and its errors in simulation."""

from itertools import product

import numpy as np
import pytest

from tokenrank.metrics.comparisons import GROUPS, compare_means
from tokenrank.metrics.intervals import Numbers

DRAW = np.random.default_rng(0)


def slow_statistic(values: Numbers) -> float:
    """Student's t after Hall's transformation, of one column."""
    samples, mean, deviation = len(values), values.mean(), values.std(ddof=1)
    student = np.sqrt(samples) * mean / deviation
    skewness = ((values - mean) ** 3).mean() / values.std() ** 3
    bend = skewness / (3 * np.sqrt(samples))
    return float(student + bend * student**2 + bend**2 * student**3 / 3 + bend / 2)


def test_p_is_that_of_all_sign_flips_one_by_one() -> None:
    values = DRAW.normal([1.5, 0.3, 0], 1, (7, 3))
    own = [abs(slow_statistic(values[:, column])) for column in range(3)]
    largest = [
        max(abs(slow_statistic(values[:, column] * signs)) for column in range(3))
        for signs in product([1, -1], repeat=7)
    ]
    wanted = [np.mean([each >= limit * (1 - 1e-9) for each in largest]) for limit in own]
    found = compare_means(values, seed=0, resamples=1)
    assert found.p.tolist() == wanted
    assert found.difference.tolist() == pytest.approx(values.mean(axis=0).tolist())


def test_the_ends_are_the_means_whose_statistic_is_the_critical_one() -> None:
    values = DRAW.exponential(size=(9, 1))
    largest = sorted(abs(slow_statistic(values[:, 0] * signs)) for signs in product([1, -1], repeat=9))
    critical = largest[len(largest) - 1 - int(0.05 * len(largest))]
    found = compare_means(values, seed=0, resamples=1)
    assert slow_statistic(values[:, 0] - found.low[0]) == pytest.approx(critical)
    assert slow_statistic(values[:, 0] - found.high[0]) == pytest.approx(-critical)


@pytest.mark.parametrize(("samples", "p"), [(1, 1.0), (2, 0.5), (5, 0.0625), (6, 0.03125), (10, 2 / 1024)])
def test_differences_of_one_sign_have_the_smallest_p(samples: int, p: float) -> None:
    found = compare_means(np.arange(1.0, samples + 1)[:, None], seed=0, resamples=1)
    assert found.p.tolist() == [p]
    assert np.isnan(found.low[0]) == np.isnan(found.high[0]) == (p > 0.05)


def test_equal_differences_have_themselves_as_interval_if_there_are_enough() -> None:
    six, five = (compare_means(np.full((samples, 1), 0.2), 0, 1) for samples in (6, 5))
    assert [six.low[0], six.high[0], six.p[0]] == pytest.approx([0.2, 0.2, 2 / 64])
    assert np.isnan([five.low[0], five.high[0]]).all()


def test_where_nothing_differs_p_is_one_and_there_is_no_interval() -> None:
    values = np.stack([np.zeros(8), np.arange(1.0, 9.0)], axis=1)
    found = compare_means(values, seed=0, resamples=1)
    assert (found.difference[0], found.p[0]) == (0, 1)
    assert np.isnan([found.low[0], found.high[0]]).all()
    assert found.p[1] == compare_means(values[:, 1:], 0, 1).p[0]


def test_a_single_prompt_that_differs_shows_nothing() -> None:
    found = compare_means(np.eye(10)[:, :1], seed=0, resamples=1)
    assert found.p.tolist() == [1]
    assert found.low[0] <= 0 < 0.1 < found.high[0]


def test_a_copy_in_the_family_costs_nothing_and_other_columns_do() -> None:
    one = DRAW.normal(size=(12, 1)) + 0.7
    alone, twice = compare_means(one, 0, 1), compare_means(np.hstack([one, -one]), 0, 1)
    assert twice.p.tolist() == [alone.p[0], alone.p[0]]
    assert [twice.low[0], -twice.high[1]] == pytest.approx([alone.low[0]] * 2)
    among = compare_means(np.hstack([one, DRAW.normal(size=(12, 20))]), 0, 1)
    assert among.p[0] > alone.p[0]
    assert among.low[0] < alone.low[0]


@pytest.mark.parametrize("samples", [1, 3, 5, 6, 8, 13, 14, 30])
def test_zero_is_outside_the_interval_exactly_if_p_is_at_most_5_percent(samples: int) -> None:
    significant = 0
    for kind in range(60):
        values = [
            DRAW.integers(-2, 4, (samples, 4)).astype(float),
            DRAW.exponential(size=(samples, 4)) - 0.5,
            np.where(DRAW.random((samples, 4)) < 0.7, 0, DRAW.normal(1, 1, (samples, 4))) * 1e-6,
        ][kind % 3]
        found = compare_means(values, seed=kind, resamples=200)
        outside = (found.low > 0) | (found.high < 0)
        assert outside.tolist() == (found.p <= 0.05).tolist()
        significant += int(outside.sum())
    assert (significant > 0) == (samples >= 6)


def test_random_flips_come_close_to_all_flips_and_follow_the_seed() -> None:
    values = DRAW.normal(size=(14, 2)) + 0.5
    signs = np.array(list(product([1, -1], repeat=14)))
    mean = signs @ values / 14
    variance = (values**2).mean(axis=0) - mean**2
    third = signs @ values**3 / 14 - 3 * mean * (values**2).mean(axis=0) + 2 * mean**3
    student, bend = mean / np.sqrt(variance / 13), third / variance**1.5 / (3 * np.sqrt(14))
    largest = np.abs(student + bend * student**2 + bend**2 * student**3 / 3 + bend / 2).max(axis=1)
    own = np.array([abs(slow_statistic(values[:, column])) for column in range(2)])
    wanted = (largest[:, None] >= own * (1 - 1e-9)).mean(axis=0)
    found = [compare_means(values, seed, 20_000) for seed in (1, 1, 2)]
    assert found[0].p == pytest.approx(wanted, abs=0.01)
    assert found[0].p.tolist() == found[1].p.tolist() != found[2].p.tolist()


def test_many_samples_are_flipped_in_groups_with_the_same_result_but_for_chance() -> None:
    values = DRAW.normal([0, 0.06, 0.2], 1, (4 * GROUPS, 3))
    found = compare_means(values, seed=0, resamples=4000)
    half = (
        2.39 * values.std(axis=0, ddof=1) / np.sqrt(len(values))
    )  # two-sided 5 % of the largest of three normal values
    assert found.high - found.difference == pytest.approx(half, rel=0.05)
    assert found.p[2] < 0.001
    assert found.p[0] > 0.05


@pytest.mark.parametrize("heuristics", [2, 10])
@pytest.mark.parametrize("kind", ["normal", "skewed", "mostly zero"])
def test_the_error_of_the_family_is_at_most_6_percent(kind: str, heuristics: int) -> None:
    draw, found, runs = np.random.default_rng(7), 0, 1000 if heuristics == 2 else 200
    left, right = np.triu_indices(heuristics, 1)
    for _ in range(runs):
        size = (10, heuristics)
        values = {
            "normal": draw.normal(size=size),
            "skewed": draw.lognormal(size=size),
            "mostly zero": np.where(draw.random(size) < 0.8, 0, draw.random(size)),
        }[kind]
        found += int(compare_means(values[:, left] - values[:, right], 0, 1).p.min() <= 0.05)
    assert found / runs < 0.06 + 2 * np.sqrt(0.06 * 0.94 / runs)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"differences have the shape \(0, 2\), must be \(samples, pairs\), all finite"
    ):
        compare_means(np.zeros((0, 2)), 0, 1)
    with pytest.raises(ValueError, match="resamples is 0, must be at least 1"):
        compare_means(np.zeros((3, 2)), 0, 0)
