"""over_layers: values worked by hand, an independent standard deviation, and what must hold for any values."""

import math
import statistics

import pytest
import torch
from torch import Tensor

from tokenrank.metrics.summaries import over_layers


def draw(layers: int) -> Tensor:
    return torch.rand(layers, generator=torch.Generator().manual_seed(0))


def test_three_layers_by_hand() -> None:
    summary = over_layers(torch.tensor([0.5, 0.25, 0.75]), [3, 7, 11])
    assert summary == pytest.approx(
        {
            "mean": 0.5,
            "std": math.sqrt((0 + 1 / 16 + 1 / 16) / 3),
            "worst": 0.25,
            "worst_layer": 7,
            "worst_drop": 0.25,
            "neighbour_drop": 0.25,
        }
    )


def test_the_largest_fall_is_between_neighbours_not_between_extremes() -> None:
    falling_slowly = over_layers(torch.tensor([1.0, 0.75, 0.5, 0.25, 1.0]), range(5))
    assert falling_slowly["neighbour_drop"] == pytest.approx(0.25)
    falling_at_once = over_layers(torch.tensor([0.75, 0.5, 1.0, 0.25, 1.0]), range(5))  # the same values
    assert falling_at_once["neighbour_drop"] == pytest.approx(0.75)


def test_rising_values_never_fall() -> None:
    assert over_layers(draw(20).sort().values, range(20))["neighbour_drop"] == 0


def test_of_equally_bad_layers_the_first_is_named() -> None:
    assert over_layers(torch.tensor([0.5, 0.1, 0.5, 0.1]), [4, 5, 6, 7])["worst_layer"] == 5


@pytest.mark.parametrize("layers", [1, 5])
def test_equal_layers_have_no_spread(layers: int) -> None:
    summary = over_layers(torch.full((layers,), 0.25), range(layers))
    assert (summary["mean"], summary["worst"]) == (0.25, 0.25)
    assert (summary["std"], summary["worst_drop"], summary["neighbour_drop"]) == (0, 0, 0)


def test_it_agrees_with_the_standard_library() -> None:
    values = draw(30)
    summary = over_layers(values, range(30))
    assert summary["mean"] == pytest.approx(statistics.fmean(values.tolist()))
    assert summary["std"] == pytest.approx(statistics.pstdev(values.tolist()))
    assert summary["worst"] == min(values.tolist())


def test_a_shift_of_all_layers_moves_mean_and_worst_alone() -> None:
    before, after = over_layers(draw(30), range(30)), over_layers(draw(30) - 1, range(30))
    shift = {name: after[name] - before[name] for name in before}
    assert shift == pytest.approx({name: -1.0 if name in ("mean", "worst") else 0.0 for name in before}, abs=1e-6)


@pytest.mark.parametrize(("values", "layers"), [(0, 0), (3, 2), (2, 3)])
def test_every_value_needs_its_layer(values: int, layers: int) -> None:
    with pytest.raises(ValueError, match=f"{values} values and {layers} layer numbers"):
        over_layers(torch.zeros(values), range(layers))
