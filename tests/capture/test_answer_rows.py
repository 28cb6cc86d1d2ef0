"""What the rows of several passes see, by hand; a layer that never changes the prompt's keys."""

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicLayer

from tokenrank.capture.answer_rows import AnswerRows, PromptLayer

CPU = torch.device("cpu")


def rows(*, fused: bool = True) -> AnswerRows:
    """Two passes over a prompt of four tokens and two rows each: the first hides token 1, the second tokens 0 and 2."""
    hidden = torch.tensor([[True, False, True], [False, True, False]])
    found = AnswerRows([], hidden, fused=fused)
    found.add(torch.tensor([0, 0, 1, 1]), torch.tensor([3, 4, 3, 4]))
    return found


def shown(seen: Tensor) -> list[str]:
    return ["".join("x" if each else "." for each in row) for row in seen.tolist()]


def test_rows_see_what_is_visible_to_their_pass_and_their_own_rows() -> None:
    assert shown(rows().seen(None, CPU)) == ["x.xx...", "x.xxx..", ".x...x.", ".x...xx"]


def test_a_window_counts_positions() -> None:
    """A query at position 4 sees the positions 2 to 4."""
    assert shown(rows().seen(3, CPU)) == ["..xx...", "..xxx..", ".x...x.", ".....xx"]


def test_rows_of_a_later_forward_pass_see_those_before_them() -> None:
    later = rows()
    later.add(torch.tensor([0, 1]), torch.tensor([5, 5]))
    assert shown(later.seen(None, CPU)) == ["x.xxx..x.", ".x...xx.x"]
    assert shown(later.seen(2, CPU)) == ["....x..x.", "......x.x"]


def test_the_mask_is_in_the_form_of_the_attention_function() -> None:
    query = torch.zeros(1, 2, 4, 8)
    fused, eager = (rows(fused=each).mask(query, None) for each in (True, False))
    assert fused is not None
    assert eager is not None
    assert fused.shape == eager.shape == (1, 1, 4, 7)
    assert torch.equal(fused, eager == 0)
    assert eager.min() == torch.finfo(torch.float32).min


def test_a_layer_gives_the_prompt_and_all_rows_and_keeps_the_rows_alone() -> None:
    held: Any = DynamicLayer()  # type: ignore[no-untyped-call]
    prompt = torch.arange(10.0).view(1, 1, 5, 2)
    held.update(prompt, -prompt)
    layer = PromptLayer(held, 3)
    assert layer.get_seq_length() == 3
    first, second = torch.full((1, 1, 2, 2), 7.0), torch.full((1, 1, 1, 2), 8.0)
    layer.update(first, first)
    keys, values = layer.update(second, second)
    assert layer.get_seq_length() == 6
    assert torch.equal(keys, torch.cat([prompt[:, :, :3], first, second], dim=2))
    assert torch.equal(values, torch.cat([-prompt[:, :, :3], first, second], dim=2))
    assert torch.equal(held.keys, prompt)
    assert not any(each.untyped_storage().data_ptr() == keys.untyped_storage().data_ptr() for each in layer._new[0])


def test_a_layer_that_has_read_nothing_gives_the_rows_alone() -> None:
    layer = PromptLayer(DynamicLayer(), 3)  # type: ignore[no-untyped-call]
    assert layer.get_seq_length() == 0
    new = torch.ones(1, 1, 2, 2)
    assert torch.equal(layer.update(new, new)[0], new)
