"""over_layers: values worked by hand, a slow loop over thousands of rows, and what must hold for any values."""

import itertools
import math
import statistics
from collections.abc import Sequence

import numpy as np
import pytest

from tokenrank.metrics.summaries import Numbers, over_layers

NAMES = ["mean", "std", "worst", "worst_layer", "worst_drop", "neighbour_drop"]


def draw(rows: int, layers: int) -> Numbers:
    return np.random.default_rng(0).random((rows, layers))


def slow(row: Sequence[float], layers: Sequence[int]) -> dict[str, float]:
    """One row with the standard library."""
    worst = min(row)
    return {
        "mean": statistics.fmean(row),
        "std": statistics.pstdev(row),
        "worst": worst,
        "worst_layer": layers[list(row).index(worst)],
        "worst_drop": statistics.fmean(row) - worst,
        "neighbour_drop": max([0.0, *(before - after for before, after in itertools.pairwise(row))]),
    }


def of_one(values: Sequence[float], layers: Sequence[int]) -> dict[str, float]:
    return {name: float(each[0]) for name, each in over_layers(np.array([values]), layers).items()}


@pytest.mark.parametrize("layers", [1, 2, 30])
def test_it_is_what_a_slow_loop_gives_for_every_row(layers: int) -> None:
    values, numbers = draw(1000, layers), range(5, 5 + 2 * layers, 2)
    values[::7] = values[::7].round(1)  # ties
    summaries = over_layers(values, numbers)
    assert list(summaries) == NAMES
    loop = [slow(row, numbers) for row in values.tolist()]
    for name, found in summaries.items():
        assert found.shape == (1000,)
        assert found.dtype == np.float64
        assert np.abs(found - [row[name] for row in loop]).max() < 1e-12


def test_another_order_of_layers_would_be_noticed() -> None:
    values = draw(100, 30)
    there, back = over_layers(values, range(30)), over_layers(values[:, ::-1], range(30))
    assert np.abs(there["mean"] - back["mean"]).max() < 1e-12
    for name in ("worst_layer", "neighbour_drop"):
        assert (there[name] != back[name]).mean() > 0.9


def test_three_layers_by_hand() -> None:
    assert of_one([0.5, 0.25, 0.75], [3, 7, 11]) == pytest.approx(
        {
            "mean": 0.5,
            "std": math.sqrt((0 + 1 / 16 + 1 / 16) / 3),
            "worst": 0.25,
            "worst_layer": 7,
            "worst_drop": 0.25,
            "neighbour_drop": 0.25,
        }
    )


def test_the_largest_drop_is_between_neighbours_not_between_extremes() -> None:
    assert of_one([1.0, 0.75, 0.5, 0.25, 1.0], range(5))["neighbour_drop"] == pytest.approx(0.25)
    assert of_one([0.75, 0.5, 1.0, 0.25, 1.0], range(5))["neighbour_drop"] == pytest.approx(0.75)  # the same values


def test_increasing_values_have_no_drop() -> None:
    assert (over_layers(np.sort(draw(50, 20)), range(20))["neighbour_drop"] == 0).all()


def test_of_equally_bad_layers_the_first_is_named() -> None:
    assert of_one([0.5, 0.1, 0.5, 0.1], [4, 5, 6, 7])["worst_layer"] == 5


@pytest.mark.parametrize("layers", [1, 5])
def test_equal_layers_have_no_spread(layers: int) -> None:
    summary = of_one([0.25] * layers, range(layers))
    assert (summary["mean"], summary["worst"]) == (0.25, 0.25)
    assert (summary["std"], summary["worst_drop"], summary["neighbour_drop"]) == (0, 0, 0)


def test_a_shift_of_all_layers_moves_mean_and_worst_alone() -> None:
    before, after = over_layers(draw(9, 30), range(30)), over_layers(draw(9, 30) - 1, range(30))
    for name in NAMES:
        assert np.allclose(after[name] - before[name], -1.0 if name in ("mean", "worst") else 0.0)


def test_no_rows_have_no_summaries() -> None:
    assert all(each.shape == (0,) for each in over_layers(np.empty((0, 4)), range(4)).values())


@pytest.mark.parametrize(("values", "layers"), [(0, 0), (3, 2), (2, 3)])
def test_every_value_needs_its_layer(values: int, layers: int) -> None:
    with pytest.raises(ValueError, match=f"{values} values and {layers} layer numbers"):
        over_layers(np.zeros((5, values)), range(layers))


def test_a_single_row_without_its_axis_is_refused() -> None:
    with pytest.raises(ValueError, match=r"values have the shape \(3,\), must be \(rows, layers\)"):
        over_layers(np.zeros(3), range(3))


def test_a_ranking_that_is_the_same_at_every_layer_has_no_spread_of_rounding() -> None:
    value = 0.1 + 0.2  # the mean of 30 of these is another number
    found = over_layers(np.full((1, 30), value), range(30))
    assert np.full(30, value).std() > 0  # control: this is why
    assert [found[name].tolist() for name in ("mean", "std", "worst_drop")] == [[value], [0.0], [0.0]]
