"""Looking back: a case worked by hand for every reduction, and nothing to look from. Slow versions: tests/oracle/test_attention.py."""

from dataclasses import replace

import pytest
import torch

from tests.slow import random_layer
from tokenrank.capture.layer import AttentionLayer
from tokenrank.signals.look_back import look_back


def attending_to(index: int, *targets: tuple[int, ...]) -> AttentionLayer:
    """A layer of 6 tokens; ``targets`` holds, for each head, the token that each of the answer's queries attends to."""
    keys, queries = torch.zeros(len(targets), 6, 6), torch.zeros(len(targets), len(targets[0]), 6)
    for head, tokens in enumerate(targets):
        keys[head] = torch.eye(6) * 100
        for query, token in enumerate(tokens):
            queries[head, query, token] = 1
    return random_layer(index=index, tokens=6, queries=queries, keys=keys, scale=1.0, first_position=5)


LAYERS = [attending_to(0, (1, 1), (2, 3)), attending_to(1, (1, 4), (1, 4))]  # 2 layers of 2 heads, 2 answer tokens


@pytest.mark.parametrize(
    ("heads", "over_layers", "wanted"),
    [
        ("max", "max", [[0, 1, 0.5, 0.5, 0.5, 0]]),
        ("mean", "max", [[0, 0.75, 0.25, 0.25, 0.5, 0]]),
        ("max", "mean", [[0, 0.75, 0.25, 0.25, 0.25, 0]]),
        ("mean", "mean", [[0, 0.5, 0.125, 0.125, 0.25, 0]]),
        ("max", "each", [[0, 1, 0.5, 0.5, 0, 0], [0, 0.5, 0, 0, 0.5, 0]]),
        ("mean", "each", [[0, 0.5, 0.25, 0.25, 0, 0], [0, 0.5, 0, 0, 0.5, 0]]),
    ],
)
def test_every_reduction_worked_by_hand(heads: str, over_layers: str, wanted: list[list[float]]) -> None:
    found = look_back(LAYERS, heads, over_layers)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, torch.tensor(wanted))


def test_each_head_is_smoothed_before_the_reductions() -> None:
    """By hand: a head that attends to token 1 has a third at tokens 0, 1 and 2, and so on; zeros count beyond the ends."""
    found = look_back(LAYERS, kernel=3) * 3
    torch.testing.assert_close(found, torch.tensor([[1, 1, 1, 1, 0.5, 0.5]]))
    each = look_back(LAYERS, "mean", "each", kernel=3) * 3
    torch.testing.assert_close(each, torch.tensor([[0.5, 0.75, 1, 0.5, 0.25, 0], [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]]))
    with pytest.raises(ValueError, match="kernel is 2, must be odd"):
        look_back(LAYERS, kernel=2)


def test_nothing_to_look_from_is_an_error() -> None:
    layer = random_layer()
    for layers in ([], [replace(layer, queries=layer.queries[:, :0])]):
        with pytest.raises(ValueError, match="at least one attention layer and one query"):
            look_back(layers)
