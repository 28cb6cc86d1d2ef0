"""``window_votes`` and ``keep_window``: the votes against a slow version, uniform attention by hand, prompts too short."""

import numpy as np
import pytest
import torch

from tests import slow
from tests.slow import random_layer
from tokenrank.signals.window_votes import by_key_head, keep_places, keep_window, window_votes


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@pytest.mark.parametrize("window", [1, 8, 39])
def test_votes_are_the_last_rows_of_attention_summed(window: int, kv_heads: int) -> None:
    layer = random_layer(kv_heads=kv_heads)
    votes = window_votes(layer, window)
    attention = slow.attention(layer)
    assert votes.shape == (4, 40 - window)
    for head in range(4):
        for token in range(40 - window):
            expected = sum(attention[head, row, token] for row in range(40 - window, 40))
            assert votes[head, token].item() == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_another_window_would_be_noticed() -> None:
    layer = random_layer()
    votes, expected = window_votes(layer, 8), slow.attention(layer)[:, -9:, :32].sum(axis=1)
    assert np.abs(votes.numpy() - expected).max() > 1e-3


def test_votes_of_uniform_attention_worked_by_hand() -> None:
    layer = random_layer(tokens=5, queries=torch.zeros(4, 5, 8))
    assert torch.allclose(window_votes(layer, 2), torch.full((4, 3), 1 / 4 + 1 / 5))


@pytest.mark.parametrize("window", [40, 41])
def test_a_prompt_no_longer_than_the_window_is_an_error(window: int) -> None:
    with pytest.raises(ValueError, match=f"window is {window}, must be below the prompt's 40 tokens"):
        window_votes(random_layer(), window)


@pytest.mark.parametrize("window", [1, 3])
def test_the_window_gets_the_rows_maximum(window: int) -> None:
    scores = torch.tensor([-5.0, -2.0, -7.0])
    assert keep_window(scores, window).tolist() == [-5, -2, -7, *[-2] * window]
    assert scores.tolist() == [-5, -2, -7]


@pytest.mark.parametrize(
    ("places", "wanted"), [([0, 3], [0.7, 0.1, 0.7, 0.7]), ([1], [0.9, 0.9, 0.7, 0.2]), ([], [0.9, 0.1, 0.7, 0.2])]
)
def test_places_that_are_kept_get_the_maximum_of_the_others(places: list[int], wanted: list[float]) -> None:
    scores = torch.tensor([0.9, 0.1, 0.7, 0.2])
    assert keep_places(scores, places).tolist() == pytest.approx(wanted)
    assert scores.tolist() == pytest.approx([0.9, 0.1, 0.7, 0.2])


def test_where_all_places_are_kept_all_get_the_maximum() -> None:
    assert keep_places(torch.tensor([0.1, 0.9, 0.2]), range(3)).tolist() == pytest.approx([0.9] * 3)


def test_the_query_heads_of_a_key_head_are_consecutive() -> None:
    votes = torch.arange(12.0).view(4, 3)  # 4 heads, 3 tokens
    assert by_key_head(votes, 2).tolist() == [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]
