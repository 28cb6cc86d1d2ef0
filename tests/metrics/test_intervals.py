"""Intervals of means: against slow versions, by hand, at their limits, and how often they hold the true mean."""

import numpy as np
import pytest
from scipy.stats import binomtest, t

from tokenrank.metrics.intervals import RESAMPLES, SEED, Numbers, mean_intervals, wilson

DRAW = np.random.default_rng(0)


def slow(values: Numbers) -> list[float]:
    """The interval of one column of no fewer than ten values, resample by resample."""
    samples, mean, deviation = len(values), values.mean(), values.std(ddof=1)
    bounded = values.min() >= 0 and values.max() <= 1

    def scale(m: float) -> float:
        return float(np.log(m / (1 - m))) if bounded else m

    def slope(m: float) -> float:
        return m * (1 - m) if bounded else 1.0

    statistics = []
    counts = np.random.default_rng(SEED).multinomial(samples, np.full(samples, 1 / samples), RESAMPLES)
    for count in counts:
        drawn = np.repeat(values, count)
        error = drawn.std(ddof=1) / np.sqrt(samples) / slope(drawn.mean())
        statistics.append((scale(drawn.mean()) - scale(mean)) / error)
    statistics.sort()
    long = 0.025 * samples / (samples + 8)
    missed = long if ((values - mean) ** 3).sum() > 0 else 0.05 - long  # above the interval
    high, low = (statistics[round(q * (RESAMPLES + 1)) - 1] for q in (missed, 0.95 + missed))
    error = deviation / np.sqrt(samples)
    ends = [scale(mean) - each * error / slope(mean) for each in (low, high)]
    if bounded:
        ends = [1 / (1 + np.exp(-each)) for each in ends]
        limits = wilson(np.array([mean]), samples)[:, 0]
        return [max(ends[0], limits[0]), min(ends[1], limits[1])]
    half = t.ppf(0.975, samples - 1) * error
    return [min(ends[0], mean - half), max(ends[1], mean + half)]


@pytest.mark.parametrize("samples", [10, 24])
def test_the_interval_is_that_of_a_slow_version(samples: int) -> None:
    values = np.stack(
        [
            DRAW.normal(size=samples),
            DRAW.lognormal(size=samples) + 1,
            -DRAW.exponential(size=samples) - 1,
            DRAW.beta(2, 5, samples),
            DRAW.beta(5, 1, samples),
        ],
        axis=1,
    )
    found = mean_intervals(values)
    for column in range(values.shape[1]):
        assert found[:, column].tolist() == pytest.approx(slow(values[:, column]))


@pytest.mark.parametrize(
    ("draws", "mean"),
    [
        (lambda size: DRAW.normal(size=size), 0.0),
        (lambda size: DRAW.exponential(size=size), 1.0),
        (lambda size: DRAW.lognormal(size=size), np.exp(0.5)),
        (lambda size: DRAW.beta(2, 5, size), 2 / 7),
        (lambda size: np.where(DRAW.random(size) < 0.8, 0, DRAW.random(size)), 0.1),
    ],
)
@pytest.mark.parametrize("samples", [10, 24])
def test_the_true_mean_is_inside_in_93_to_97_percent(draws: object, mean: float, samples: int) -> None:
    low, high = mean_intervals(draws((samples, 2000)))  # type: ignore[operator]
    inside = ((low <= mean) & (mean <= high)).mean()
    assert 0.92 < inside < 0.98  # 0.93 to 0.97, and two standard errors of the count


@pytest.mark.parametrize("ones", [0, 1, 7, 12])
@pytest.mark.parametrize("samples", [3, 12])
def test_a_column_of_0_and_1_has_wilsons_interval(ones: int, samples: int) -> None:
    ones = min(ones, samples)
    wanted = binomtest(ones, samples).proportion_ci(method="wilson")
    found = mean_intervals(np.repeat([1.0, 0.0], [ones, samples - ones])[:, None])[:, 0]
    assert found.tolist() == pytest.approx([wanted.low, wanted.high], abs=1e-9)


def test_no_interval_of_values_in_0_to_1_is_wider_than_wilsons() -> None:
    values = np.zeros((10, 1))
    values[0] = 0.5  # most resamples have no variance
    low, high = mean_intervals(values)[:, 0]
    assert [low, high] == pytest.approx(wilson(np.array([0.05]), 10)[:, 0].tolist(), rel=0.2)
    assert 0 < low < 0.05 < high < 0.4


def test_below_three_samples_there_is_no_interval() -> None:
    assert np.isnan(mean_intervals(np.array([[0.5, 1.0], [0.7, 1.0]]))).all()
    assert np.isfinite(mean_intervals(np.array([[0.5, 1.0], [0.7, 1.0], [0.6, 1.0]]))).all()


def test_three_and_four_values_have_students_interval() -> None:
    values = np.array([[2.0], [3.0], [7.0]])
    half = t.ppf(0.975, 2) * values.std(ddof=1) / np.sqrt(3)
    assert mean_intervals(values)[:, 0].tolist() == pytest.approx([4 - half, 4 + half])


def test_equal_values_are_both_ends_and_an_end_that_nothing_limits_is_nan() -> None:
    alike = np.full((10, 2), [0.2, 7.0])
    assert mean_intervals(alike).tolist() == [[0.2, 7.0], [0.2, 7.0]]
    one = np.zeros((10, 1))
    one[3] = 5.0
    low, high = mean_intervals(one)[:, 0]
    assert low < 0.5
    assert np.isnan(high)


def test_columns_beside_it_and_repetition_do_not_change_an_interval() -> None:
    values = DRAW.random((30, 600)) * 2
    found = mean_intervals(values)
    assert found.tobytes() == mean_intervals(values).tobytes()
    assert found[:, [7, 400]] == pytest.approx(mean_intervals(values[:, [7, 400]]), rel=1e-9)


def test_what_is_no_table_of_finite_values_is_refused() -> None:
    with pytest.raises(ValueError, match=r"values have the shape \(4,\), must be \(samples, columns\), all finite"):
        mean_intervals(np.zeros(4))
    with pytest.raises(ValueError, match="all finite"):
        mean_intervals(np.array([[1.0], [np.nan], [2.0]]))


def test_unbounded_values_are_no_shares_even_where_they_lie_in_0_to_1() -> None:
    values = np.array([[0.01, 0.02, 0.05, 0.3, 0.04, 0.06], [0, 0, 0, 0, 0, 0], [0, 1, 1, 0, 1, 1]]).T
    found = mean_intervals(values, np.array([True, True, True]))
    np.testing.assert_allclose(found, mean_intervals(values + 5) - 5, atol=1e-12)  # where they cannot be shares
    assert found[:, 1].tolist() == [0, 0]
    assert found[0, 0] < 0
    mixed = mean_intervals(values, np.array([False, True, False]))
    np.testing.assert_allclose(mixed[:, [0, 2]], mean_intervals(values)[:, [0, 2]])
    assert mixed[:, 1].tolist() == [0, 0]
    assert mean_intervals(values)[1, 1] > 0.3
