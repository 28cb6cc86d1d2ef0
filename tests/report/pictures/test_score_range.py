"""Scales: the range that a metric can have, cropped only where nothing lies, and said."""

import pytest

from tests.plans import CONFIGS
from tokenrank.records.measures import CORRELATIONS, SHARES, UNBOUNDED
from tokenrank.report.pictures.score_range import cropped, score_range, widened, within_reach


@pytest.mark.parametrize(
    ("metric", "shown", "expected"),
    [
        ("recall", [0.4, 0.5], (0, 1)),
        ("accuracy", [], (0, 1)),
        ("spearman", [0.2, 0.5], (0, 1)),
        ("spearman", [-0.01, 0.5], (-0.2, 1)),
        ("spearman", [-0.2, float("nan")], (-0.2, 1)),
        ("kendall", [-0.95], (-1, 1)),
        ("own", [3.0, 7.0], (3, 7)),
        ("own", [3.0, 3.0], (2.5, 3.5)),
        ("own", [], (0, 1)),
    ],
)
def test_the_range_is_that_of_the_metric(metric: str, shown: list[float], expected: tuple[float, float]) -> None:
    assert score_range(metric, shown) == expected


MEANS, LOW, HIGH = [0.0, 1.0, 2.0], [-0.2, 0.8, 1.7], [0.2, 1.1, 2.4]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (LOW, HIGH, (-0.2, 2.4)),
        ([-9.0, *LOW[1:]], HIGH, (-1.0, 2.4)),  # half of the span of the means
        (LOW, [*HIGH[:2], 9.0], (-0.2, 3.0)),
        ([-9.0, -8.0, -7.0], HIGH, (-9.0, 2.4)),  # all are long: their median length is 9.1
        ([float("nan")] * 3, [float("nan")] * 3, (0.0, 2.0)),
        ([], [], (0.0, 2.0)),
    ],
)
def test_one_long_range_does_not_set_the_axis_and_no_mean_is_left_out(
    low: list[float], high: list[float], expected: tuple[float, float]
) -> None:
    for found in (within_reach(MEANS, low, high), score_range("drop", MEANS, low, high)):
        assert found == pytest.approx(expected)
    assert score_range("recall", MEANS, low, high) == (0, 1)


def test_a_range_of_median_length_is_whole_also_where_means_are_alike() -> None:
    assert within_reach([1.0, 1.0], [0.5, 0.9], [1.2, 1.1]) == pytest.approx((0.55, 1.2))
    assert within_reach([1.0], [0.5], [1.2]) == pytest.approx((0.5, 1.2))


def test_the_range_of_every_metric_is_known() -> None:
    names = {file.stem for file in (CONFIGS / "metric").glob("*.yaml")} - {"all"}
    assert names >= {"recall", "evidence_recall", "lds", "drop"}
    ranges = [SHARES, CORRELATIONS, UNBOUNDED]
    assert {name: sum(name in each for each in ranges) for name in names} == dict.fromkeys(names, 1)


def test_what_is_not_shown_of_a_range_is_said() -> None:
    assert [cropped(metric, low) for metric, low in (("spearman", -0.2), ("spearman", -1.0), ("recall", 0.0))] == [
        " (-1 to 1, cropped)", "", "",
    ]  # fmt: skip


def test_an_axis_is_a_little_wider_than_the_range() -> None:
    assert widened(0, 1) == pytest.approx((-0.03, 1.03))
    assert widened(-1, 1) == pytest.approx((-1.06, 1.06))
