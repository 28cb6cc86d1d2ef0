"""ASL: FastKV's scores until ranks are stable, then frozen; a slow version, cases by hand, errors."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.slow import random_layer
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.heuristics.asl import ASL
from tokenrank.heuristics.fastkv import FastKV

DRAW = torch.Generator().manual_seed(0)
UNRELATED = torch.rand(12, 500, generator=DRAW)


def ranked(*orders: str) -> torch.Tensor:
    """Rows of scores; each order names the tokens from best to worst, and the window of one token follows."""
    rows = [[float(len(order) - order.index(token)) for token in sorted(order)] for order in orders]
    return torch.tensor([[*row, max(row)] for row in rows])


def slow_layer(
    rows: list[list[float]], *, tau: float, layers: int, first_layer: int, top: float, window: int
) -> int | None:
    tokens = len(rows[0]) - window
    ranks = [[sorted(row[:tokens], reverse=True).index(score) for score in row[:tokens]] for row in rows]  # no ties
    among = max(1, int(tokens * top / 100))
    first = max(first_layer, layers - 1)
    spreads: list[float] = []
    for last in range(first, len(rows)):
        recent = ranks[last - layers + 1 : last + 1]
        best = [token for token in range(tokens) if any(each[token] < among for each in recent)]
        spreads.append(float(np.mean([np.var([each[token] for each in recent], ddof=1) for token in best])))
        if spreads[-1] / spreads[0] < tau:
            return last
    return None


def test_scores_are_fastkvs() -> None:
    layer = random_layer()
    assert torch.equal(ASL(window=8, kernel=7).score(layer), FastKV(window=8, kernel=7).score(layer))
    assert torch.equal(ASL(window=8, kernel=7).score_heads(layer), FastKV(window=8, kernel=7).score_heads(layer))


@pytest.mark.parametrize("top", [2, 10, 100])
@pytest.mark.parametrize(
    ("tau", "layers", "first_layer"), [(0.3, 4, 0), (0.3, 2, 3), (0.05, 2, 3), (0.01, 4, 0), (0.9, 3, 5)]
)
def test_the_stable_layer_is_that_of_the_slow_version(tau: float, layers: int, first_layer: int, top: float) -> None:
    calming = torch.stack([UNRELATED[0] + UNRELATED[row] * 2 / 3**row for row in range(12)])
    settings: dict[str, Any] = {"tau": tau, "layers": layers, "first_layer": first_layer, "top": top, "window": 32}
    wanted = slow_layer(calming.tolist(), **settings)
    assert wanted is not None
    assert ASL(**settings).stable_layer(calming) == wanted
    rows = torch.cat([calming[:wanted], calming[wanted].expand(12 - wanted, -1)])
    assert torch.equal(ASL(**settings).combine(calming), rows)


def test_it_is_compared_with_the_first_allowed_layer() -> None:
    """Worked by hand, 2 layers, all of 4 tokens.

    All ranks differ by 1 between the first two layers (variance 1/2 each), two of them between the next (mean 1/4), then none.
    """
    rows = ranked("abcd", "badc", "abdc", "abdc")
    assert [ASL(tau=tau, layers=2, first_layer=0, top=100, window=1).stable_layer(rows) for tau in (0.6, 0.5)] == [2, 3]
    assert ASL(tau=0.6, layers=2, first_layer=2, top=100, window=1).stable_layer(rows) == 3
    assert ASL(tau=1.0, layers=2, first_layer=3, top=100, window=1).stable_layer(rows) is None


def test_only_the_best_tokens_of_each_layer_count() -> None:
    """Worked by hand, 2 layers, the best quarter of 8 tokens.

    Between the first two layers a, b and c, d change places: the union is a to d, variance 2 each. Then only the six worst
    change: of all tokens the variance grows, of the union, which is c and d, it is 0.
    """
    rows = ranked("abcdefgh", "cdabefgh", "cdhgfeba")
    assert ASL(tau=0.3, layers=2, first_layer=1, top=25, window=1).stable_layer(rows) == 2
    assert ASL(tau=0.3, layers=2, first_layer=1, top=100, window=1).stable_layer(rows) is None


def test_unrelated_rankings_are_never_stable() -> None:
    assert ASL(first_layer=7).stable_layer(UNRELATED) is None
    assert torch.equal(ASL(first_layer=7).combine(UNRELATED), UNRELATED)


def test_the_layers_rows_are_frozen_from_the_stable_layer_on() -> None:
    rows = ranked("abcd", "badc", "badc", "dcba", "badc")
    found = ASL(layers=2, first_layer=1, top=100, window=1).combine(rows)
    assert torch.equal(found, rows[[0, 1, 2, 2, 2]])


def test_a_model_with_fewer_layers_keeps_every_layers_own_scores() -> None:
    assert torch.equal(ASL().combine(UNRELATED[:4]), UNRELATED[:4])
    ASL().check_layers(ModelLayers(4, (0, 1, 2, 3)))


def test_the_defaults_are_the_sources() -> None:
    method = ASL()
    assert (method.tau, method.layers, method.first_layer, method.window) == (0.3, 8, 10, 32)


@pytest.mark.parametrize("tau", [0.0, -1.0, 1.5])
def test_tau_out_of_range_is_an_error(tau: float) -> None:
    with pytest.raises(ValueError, match=f"tau is {tau}, must be above 0 and at most 1"):
        ASL(tau=tau)


def test_other_settings_out_of_range_are_errors() -> None:
    with pytest.raises(ValueError, match="top is 0, must be above 0 and at most 100 percent"):
        ASL(top=0)
    with pytest.raises(ValueError, match="layers is 1, must be at least 2"):
        ASL(layers=1)
    with pytest.raises(ValueError, match="first_layer is -1"):
        ASL(first_layer=-1)
