"""H2O against a slow version, with window and soft-cap, and a case by hand; blocks of rows do not matter."""

from typing import Any

import pytest
import torch

from tests import slow
from tests.slow import random_layer
from tokenrank.heuristics.h2o import H2O
from tokenrank.signals import weighted_attention

RULES: list[dict[str, Any]] = [{}, {"sliding_window": 9}, {"softcap": 2.0}, {"kv_heads": 1}, {"kv_heads": 4}]


@pytest.mark.parametrize("rules", RULES)
def test_score_is_attention_summed_over_all_queries(rules: dict[str, Any]) -> None:
    layer = random_layer(**rules)
    wanted = slow.attention(layer).sum(axis=1).mean(axis=0)
    score = H2O(recent=0).score(layer)
    assert score.tolist() == pytest.approx(wanted.tolist(), rel=1e-5)
    assert float(score.sum()) == pytest.approx(layer.tokens, rel=1e-5)  # every query pays out 1


@pytest.mark.parametrize("block", [1, 4 * 40 * 3, 10**9])
def test_the_size_of_a_block_does_not_matter(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    layer = random_layer()
    wanted = H2O().score(layer)
    monkeypatch.setattr(weighted_attention, "BLOCK", block)
    torch.testing.assert_close(H2O().score(layer), wanted)


def test_the_recent_tokens_are_always_kept() -> None:
    layer = random_layer()
    wanted = slow.attention(layer).sum(axis=1).mean(axis=0)
    score = H2O(recent=0.1).score(layer)
    assert score[:36].tolist() == pytest.approx(wanted[:36].tolist(), rel=1e-5)
    assert score[36:].tolist() == pytest.approx([wanted[:36].max()] * 4)
    assert H2O().always_kept(200) == range(190, 200)


@pytest.mark.parametrize("recent", [-0.1, 1.1])
def test_a_share_out_of_range_is_an_error(recent: float) -> None:
    with pytest.raises(ValueError, match=f"recent is {recent}, must be from 0 to 1"):
        H2O(recent=recent)


def test_without_anything_to_tell_tokens_apart_the_first_wins() -> None:
    layer = random_layer(tokens=3, queries=torch.zeros(4, 3, 8))
    assert H2O().score(layer).tolist() == pytest.approx([1 + 1 / 2 + 1 / 3, 1 / 2 + 1 / 3, 1 / 3])
