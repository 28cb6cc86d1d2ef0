"""ASL: FastKV's scores until ranks are stable, then frozen; a slow version, cases by hand, errors."""

import numpy as np
import pytest
import torch

from tests.slow import random_layer
from tokenrank.heuristics.asl import ASL
from tokenrank.heuristics.fastkv import FastKV

DRAW = torch.Generator().manual_seed(0)
UNRELATED = torch.rand(10, 500, generator=DRAW)


def slow_combine(rows: list[list[float]], tau: float, layers: int, first_layer: int) -> list[list[float]]:
    tokens = len(rows[0])
    places = [[sorted(row, reverse=True).index(score) / tokens for score in row] for row in rows]  # no ties
    for last in range(len(rows)):
        if last < first_layer or last < layers - 1:
            continue
        spread = [np.var([places[row][t] for row in range(last - layers + 1, last + 1)], ddof=1) for t in range(tokens)]
        if 12 * np.mean(spread) < tau:
            return [*rows[:last], *[rows[last]] * (len(rows) - last)]
    return rows


def test_scores_are_fastkvs() -> None:
    layer = random_layer()
    assert torch.equal(ASL(window=8, kernel=7).score(layer), FastKV(window=8, kernel=7).score(layer))


@pytest.mark.parametrize(
    ("tau", "layers", "first_layer"), [(0.3, 4, 0), (0.05, 2, 0), (0.05, 2, 7), (0.001, 4, 0), (0.9, 3, 5)]
)
def test_rows_are_those_of_the_slow_version(tau: float, layers: int, first_layer: int) -> None:
    calming = torch.stack([UNRELATED[0] + UNRELATED[row] * 2 / 2**row for row in range(10)])
    found = ASL(tau=tau, layers=layers, first_layer=first_layer).combine(calming)
    assert found.tolist() == slow_combine(calming.tolist(), tau, layers, first_layer)


def test_unrelated_rankings_have_a_variance_of_one() -> None:
    assert torch.equal(ASL(tau=0.9).combine(UNRELATED), UNRELATED)
    assert not torch.equal(
        ASL(tau=1.0).combine(UNRELATED[:, :40].repeat_interleave(2, dim=0)),
        UNRELATED[:, :40].repeat_interleave(2, dim=0),
    )


def test_rankings_that_never_change_are_kept_from_the_first_full_window_on() -> None:
    rows = torch.arange(12.0).expand(6, -1) * torch.arange(1.0, 7.0)[:, None]  # other scores, one order
    found = ASL(layers=3).combine(rows)
    assert torch.equal(found, rows[[0, 1, 2, 2, 2, 2]])


@pytest.mark.parametrize("tau", [0.0, -1.0, 1.5])
def test_tau_out_of_range_is_an_error(tau: float) -> None:
    with pytest.raises(ValueError, match=f"tau is {tau}, must be above 0 and at most 1"):
        ASL(tau=tau)


def test_other_settings_out_of_range_are_errors() -> None:
    with pytest.raises(ValueError, match="layers is 1, must be at least 2"):
        ASL(layers=1)
    with pytest.raises(ValueError, match="first_layer is -1"):
        ASL(first_layer=-1)
