"""AttentionLayer: dots, attention and blocks against a slow version under every rule; shared rows; positions with gaps; errors."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests import slow
from tests.slow import random_layer
from tokenrank.capture.layer import AttentionLayer

TOKENS = 40
RULES: dict[str, dict[str, Any]] = {
    "plain": {},
    "softcap": {"softcap": 2.0},
    "sliding_window": {"sliding_window": 6},
    "sinks": {"sinks": torch.tensor([0.0, 1.0, 2.0, 3.0])},
    "all": {"softcap": 2.0, "sliding_window": 6, "sinks": torch.tensor([0.0, 1.0, 2.0, 3.0])},
}


def answering(layer: AttentionLayer, answer_tokens: int) -> AttentionLayer:
    """The same layer with the queries of an answer: the first is the prompt's last."""
    return replace(layer, queries=layer.queries[:, :answer_tokens], first_position=layer.tokens - 1)


def close(seen: Tensor, expected: slow.Array) -> bool:
    return seen.shape == expected.shape and np.allclose(seen.numpy(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_dots_are_raw_products_of_each_head_with_its_key_head(kv_heads: int) -> None:
    layer = random_layer(kv_heads=kv_heads, scale=100.0, softcap=2.0, sliding_window=3)  # none of the rules applies
    dots = layer.dots(rows=3)
    assert dots.shape == (4, 3, TOKENS)
    for head in range(4):
        for row in range(3):
            for token in range(TOKENS):
                query, key = layer.queries[head, TOKENS - 3 + row], layer.keys[head // (4 // kv_heads), token]
                assert dots[head, row, token] == pytest.approx(float(query @ key), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@pytest.mark.parametrize("rows", [1, 2, 9, TOKENS])
def test_attention_of_the_prompt_is_that_of_the_slow_version(rows: int, kv_heads: int, rules: dict[str, Any]) -> None:
    layer = random_layer(kv_heads=kv_heads, **rules)
    assert close(layer.attention(rows), slow.attention(layer)[:, -rows:])


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_attention_of_an_answer_is_that_of_the_slow_version(rows: int, rules: dict[str, Any]) -> None:
    layer = answering(random_layer(**rules), 5)
    assert close(layer.attention(rows), slow.attention(layer)[:, -rows:])


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
@pytest.mark.parametrize(("start", "stop"), [(0, 1), (0, 40), (7, 12), (39, 40)])
def test_a_block_is_those_rows_of_the_whole(start: int, stop: int, rules: dict[str, Any]) -> None:
    layer = random_layer(**rules)
    assert close(layer.attention_block(start, stop), slow.attention(layer)[:, start:stop])


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_a_block_of_an_answer_is_those_rows_of_the_whole(rules: dict[str, Any]) -> None:
    layer = answering(random_layer(**rules), 5)
    assert close(layer.attention_block(2, 4), slow.attention(layer)[:, 2:4])


@pytest.mark.parametrize(
    "wrong",
    [
        {"scale": 1.1 * 8**-0.5},
        {"softcap": None},
        {"sliding_window": None},
        {"sliding_window": 7},
        {"sinks": None},
        {"first_position": 1},
        {"keys": random_layer().keys.flip(0)},  # heads in the wrong groups
    ],
    ids=lambda wrong: " ".join(f"{name}" for name in wrong),
)
def test_a_wrong_rule_would_be_noticed(wrong: dict[str, Any]) -> None:
    layer = random_layer(**RULES["all"])
    seen = replace(layer, **wrong).attention(TOKENS)
    assert np.abs(seen.numpy() - slow.attention(layer)).max() > 1e-3


@pytest.mark.parametrize("window", [None, 6])
def test_rows_sum_to_one_and_what_is_out_of_reach_gets_exactly_zero(window: int | None) -> None:
    attention = random_layer(sliding_window=window).attention(TOKENS)
    assert torch.allclose(attention.sum(dim=-1), torch.ones(4, TOKENS))
    for row in range(TOKENS):
        first = 0 if window is None else max(0, row - window + 1)
        assert not attention[:, row, row + 1 :].any()
        assert not attention[:, row, :first].any()
        assert attention[:, row, first : row + 1].all()


def test_a_sink_takes_its_share_of_every_row() -> None:
    assert (random_layer(sinks=torch.zeros(4)).attention(TOKENS).sum(dim=-1) < 1).all()


def test_an_answer_that_has_left_the_window_attends_to_nothing() -> None:
    layer = answering(random_layer(sliding_window=3), 5)
    assert layer.attention(1).eq(0).all()  # at position 43, it sees positions 41 to 43


def test_attention_worked_by_hand() -> None:
    keys = torch.log(torch.tensor([[[1.0], [2.0], [3.0]]]))
    layer = random_layer(queries=torch.ones(1, 3, 1), keys=keys, scale=1.0)
    expected = torch.tensor([[1, 0, 0], [1 / 3, 2 / 3, 0], [1 / 6, 2 / 6, 3 / 6]])
    assert torch.allclose(layer.attention(3)[0], expected)
    assert torch.allclose(replace(layer, sliding_window=2).attention(1)[0], torch.tensor([0, 2 / 5, 3 / 5]))
    assert torch.allclose(replace(layer, sinks=torch.tensor([math.log(4)])).attention(3)[0, 2], expected[2] * 6 / 10)


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
@pytest.mark.parametrize("rows", [1, 7, 8, 9])
def test_shared_rows_give_the_values_of_unshared_ones(rows: int, rules: dict[str, Any]) -> None:
    alone, shared = random_layer(**rules), random_layer(shared_rows=8, **rules)
    assert torch.allclose(shared.attention(rows), alone.attention(rows), rtol=1e-5, atol=1e-7)


def test_shared_rows_are_computed_once() -> None:
    def same_memory(layer: AttentionLayer) -> bool:
        return layer.attention(2).untyped_storage().data_ptr() == layer.attention(8).untyped_storage().data_ptr()

    assert same_memory(random_layer(shared_rows=8))
    alone = random_layer()
    kept = alone.attention(2)  # held, so that its memory is not used again
    assert alone.attention(2).untyped_storage().data_ptr() != kept.untyped_storage().data_ptr()


@pytest.mark.parametrize("rows", [0, -1, TOKENS + 1])
def test_dots_of_rows_out_of_range_are_an_error(rows: int) -> None:
    with pytest.raises(ValueError, match=f"rows is {rows}, must be from 1 to the 40 queries of layer 5"):
        random_layer(index=5).dots(rows)


@pytest.mark.parametrize(
    ("shared_rows", "rows"),
    [
        (0, TOKENS + 1),
        (8, TOKENS + 1),
        (0, -1),
        (8, 0),
        (8, -1),
    ],
)
def test_attention_of_rows_out_of_range_is_an_error(shared_rows: int, rows: int) -> None:
    with pytest.raises(ValueError, match=f"rows is {rows}, must be from 1 to the 40 queries of layer 5"):
        random_layer(index=5, shared_rows=shared_rows).attention(rows)


def test_a_layer_in_bfloat16_is_read_in_float32_and_left_as_it_was() -> None:
    layer = random_layer(shared_rows=4, **RULES["all"])
    half = replace(layer, queries=layer.queries.bfloat16(), keys=layer.keys.bfloat16())
    queries, keys = half.queries.clone(), half.keys.clone()
    for seen in (half.dots(3), half.attention(3), half.attention(9), half.attention_block(1, 3)):
        assert seen.dtype == torch.float32
    assert close(half.attention(9), slow.attention(half)[:, -9:])
    assert torch.equal(half.queries, queries)
    assert torch.equal(half.keys, keys)


def test_a_layer_knows_its_tokens_and_key_heads() -> None:
    layer = random_layer(heads=4, kv_heads=2, tokens=13)
    assert (layer.tokens, layer.kv_heads) == (13, 2)


LEFT = [0, 1, 7, 8, 9, 20, 33, 39]  # of the prompt's tokens


def left_of(whole: AttentionLayer) -> AttentionLayer:
    """The layer of those tokens alone."""
    positions = torch.tensor(LEFT)
    return replace(whole, queries=whole.queries[:, LEFT], keys=whole.keys[:, LEFT], positions=positions)


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_tokens_with_gaps_between_them_attend_by_their_positions(rules: dict[str, Any]) -> None:
    """The slow version: attention over all tokens, from which those that are not left are taken out."""
    whole = random_layer(**rules)
    rows = slow.attention(replace(whole, sinks=None))[:, LEFT][:, :, LEFT]
    expected = rows / rows.sum(axis=-1, keepdims=True)
    layer = left_of(replace(whole, sinks=None))
    assert close(layer.attention(len(LEFT)), expected)
    assert close(layer.attention(2), expected[:, -2:])
    assert close(replace(layer, shared_rows=4).attention(3), expected[:, -3:])
    assert close(layer.attention_block(2, 5), expected[:, 2:5])
    assert close(layer.attention_block(2, 5, trim=True), expected[:, 2:5, :5])


def test_without_their_positions_a_window_would_reach_too_far() -> None:
    layer = left_of(random_layer(sliding_window=6))
    wrong = replace(layer, positions=None)
    assert not torch.allclose(layer.attention(len(LEFT)), wrong.attention(len(LEFT)), atol=1e-2)
