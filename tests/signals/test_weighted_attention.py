"""Weighted attention: the last rows only, each with its own weight, never more than a block of them."""

import pytest
import torch

from tests import slow
from tests.slow import random_layer
from tokenrank.capture.layer import AttentionLayer
from tokenrank.signals import weighted_attention as module
from tokenrank.signals.weighted_attention import weighted_attention


@pytest.mark.parametrize("rows", [1, 7, 40])
def test_it_is_the_weighted_sum_of_the_last_rows(rows: int) -> None:
    layer, weights = random_layer(), torch.rand(rows, generator=torch.Generator().manual_seed(0))
    wanted = sum(
        weight * row for weight, row in zip(weights.tolist(), slow.attention(layer).mean(0)[-rows:], strict=True)
    )
    assert weighted_attention(layer, weights).tolist() == pytest.approx(list(wanted), rel=1e-5, abs=1e-7)


def test_it_never_asks_for_more_than_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 4 * 40 * 6)
    asked: list[tuple[int, int]] = []
    plain = AttentionLayer.attention_block

    def counting(layer: AttentionLayer, start: int, stop: int, *, trim: bool = False) -> torch.Tensor:
        asked.append((start, stop))
        return plain(layer, start, stop, trim=trim)

    monkeypatch.setattr(AttentionLayer, "attention_block", counting)
    weighted_attention(random_layer(), torch.ones(40))
    assert {row for start, stop in asked for row in range(start, stop)} == set(range(40))
    assert max(stop - start for start, stop in asked) <= 6
