"""Masks made from positions: against the rule query by query, shared where they may be, in the form of each attention function."""

import pytest
import torch
from torch import Tensor

from tokenrank.capture.position_masks import PositionMasks, as_mask, visible

POSITIONS = torch.tensor([0, 1, 4, 5, 6, 11])


def query(rows: int, heads: int = 4) -> Tensor:
    return torch.zeros(1, heads, rows, 8)


def key(tokens: int, heads: int = 2) -> Tensor:
    return torch.zeros(1, heads, tokens, 8)


def rule(queries: Tensor, keys: Tensor, window: int) -> list[list[bool]]:
    """The slow version: one pair at a time."""
    return [[key <= now and now - key < window for key in keys.tolist()] for now in queries.tolist()]


@pytest.mark.parametrize("window", [1, 2, 3, 6, 100])
def test_a_query_sees_its_own_position_and_those_just_before(window: int) -> None:
    assert visible(POSITIONS, POSITIONS[None], window).tolist() == [rule(POSITIONS, POSITIONS, window)]


def test_a_mask_counts_positions_and_not_tokens() -> None:
    by_place = visible(torch.arange(6), torch.arange(6)[None], 3)
    assert visible(POSITIONS, POSITIONS[None], 3).tolist() != by_place.tolist()


def test_the_fused_function_needs_no_mask_without_a_window() -> None:
    masks = PositionMasks(fused=True)
    assert masks.of_prompt(query(6), POSITIONS, None) is None
    assert masks.of_answer(query(1), key(7), torch.tensor([[12]]), None, None) is None


def test_the_eager_function_always_gets_a_mask() -> None:
    """modernbert-decoder's adds it unasked; that of one query without a window hides nothing."""
    masks = PositionMasks(fused=False)
    mask = masks.of_prompt(query(6), POSITIONS, None)
    assert mask is not None
    assert ((mask == 0)[0, 0] == torch.ones(6, 6).tril().bool()).all()
    assert mask.min() == torch.finfo(torch.float32).min
    alone = masks.of_answer(query(1), key(7), torch.tensor([[12]]), None, None)
    assert alone is not None
    assert alone.tolist() == [[[[0]]]]


@pytest.mark.parametrize("fused", [True, False])
def test_layers_with_the_same_window_share_a_mask_until_tokens_are_dropped(fused: bool) -> None:
    masks = PositionMasks(fused=fused)
    first, other = masks.of_prompt(query(6), POSITIONS, 3), masks.of_prompt(query(6), POSITIONS, 4)
    assert masks.of_prompt(query(6), POSITIONS, 3) is first
    assert other is not first
    masks.forget()
    fewer = masks.of_prompt(query(3), POSITIONS[3:], 3)
    assert fewer is not None
    assert fewer.shape == (1, 1, 3, 3)


def test_each_key_head_holds_its_own_tokens_and_serves_its_group_of_heads() -> None:
    held = torch.tensor([[0, 4, 11], [5, 6, 11]])
    mask = PositionMasks(fused=True).of_answer(query(1), key(3), torch.tensor([[12]]), held[None], 7)
    assert mask is not None
    wanted = [rule(torch.tensor([12]), each, 7) for each in held for _ in range(2)]  # 4 heads, 2 key heads
    assert mask[0].tolist() == wanted


def test_where_all_key_heads_hold_the_same_one_row_serves_all_heads() -> None:
    mask = PositionMasks(fused=True).of_answer(query(1), key(6), torch.tensor([[12]]), POSITIONS[None, None], 7)
    assert mask is not None
    assert mask.tolist() == [[rule(torch.tensor([12]), POSITIONS, 7)]]


def test_hidden_keys_get_the_lowest_value_of_the_dtype() -> None:
    visible = torch.tensor([[[[True, False]]]])
    mask = as_mask(visible, query(1).half(), fused=False)
    assert mask is not None
    assert mask.dtype == torch.float16
    assert mask.tolist() == [[[[0.0, torch.finfo(torch.float16).min]]]]
    assert as_mask(visible, query(1), fused=True) is not None


def test_several_tokens_of_an_answer_see_all_that_is_held_and_the_answer_before_them() -> None:
    mask = PositionMasks(fused=True).of_answer(query(3), key(8), torch.tensor([[20, 21, 22]]), None, None)
    assert mask is not None
    assert mask.tolist() == [[[[True] * (6 + row) + [False] * (2 - row) for row in range(3)]]]


def test_rows_with_a_window_see_by_their_own_positions_and_those_of_what_they_hold() -> None:
    positions = torch.tensor([[12, 13], [20, 21]])
    held = torch.stack([torch.cat([POSITIONS, positions[0]]), torch.cat([POSITIONS + 8, positions[1]])])
    mask = PositionMasks(fused=True).of_answer(query(2).expand(2, -1, -1, -1), key(8), positions, held[:, None], 9)
    assert mask is not None
    assert mask.tolist() == [[rule(now, each, 9)] for now, each in zip(positions, held, strict=True)]
