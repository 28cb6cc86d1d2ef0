"""The oracle by attention: every variant against a slow version, in blocks of any size, a case by hand, errors."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests import slow
from tests.slow import random_layer
from tokenrank.capture.layer import AttentionLayer
from tokenrank.oracle.answer_attention import AttentionOracle
from tokenrank.signals import look_back

TOKENS, ANSWER = 30, 7
VARIANTS = [(heads, layers) for heads in ("max", "mean") for layers in ("max", "mean", "each")]


def answer_layers(layers: int = 3, tokens: int = TOKENS, answer: int = ANSWER, **rules: Any) -> list[AttentionLayer]:
    """The layers of an answer: its first query is the prompt's last."""
    prompt = [random_layer(index=i, seed=i, tokens=tokens, **rules) for i in range(layers)]
    return [replace(layer, queries=layer.queries[:, :answer], first_position=tokens - 1) for layer in prompt]


def importance(oracle: AttentionOracle, layers: Sequence[AttentionLayer]) -> Tensor:
    """(1 or layers, tokens), as the oracle gives it."""
    return oracle.truth(slow.answered(layers)).importance


def slow_importance(layers: Sequence[AttentionLayer], oracle: AttentionOracle) -> slow.Array:
    """(layers, tokens), one row unless layers is "each"; one number at a time."""
    attention = [slow.attention(layer) for layer in layers]  # (heads, answer tokens, tokens) each
    heads, answer, tokens = attention[0].shape
    over: dict[str, Callable[[list[float]], float]] = {"max": max, "mean": lambda values: sum(values) / len(values)}
    importance = np.zeros((len(layers) if oracle.layers == "each" else 1, tokens))
    for token in range(tokens):
        for t in range(answer):
            per_layer = [over[oracle.heads]([each[head, t, token] for head in range(heads)]) for each in attention]
            rows = per_layer if oracle.layers == "each" else [over[oracle.layers](per_layer)]
            for row, value in enumerate(rows):
                importance[row, token] += value / answer
    return np.array([slow.average(row, oracle.kernel) for row in importance])


def furthest(seen: Tensor, expected: slow.Array) -> float:
    return float(np.abs(np.atleast_2d(seen.numpy()) - expected).max())


@pytest.mark.parametrize("kernel", [1, 13])
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@pytest.mark.parametrize(("heads", "layers"), VARIANTS)
def test_importance_is_that_of_the_slow_version(heads: str, layers: str, kv_heads: int, kernel: int) -> None:
    seen = answer_layers(kv_heads=kv_heads)
    oracle = AttentionOracle(heads=heads, layers=layers, kernel=kernel)
    found = importance(oracle, seen)
    assert found.shape == ((3, TOKENS) if layers == "each" else (1, TOKENS))
    assert found.dtype == torch.float32
    assert furthest(found, slow_importance(seen, oracle)) < 1e-6


def test_the_default_is_the_papers() -> None:
    paper = AttentionOracle(kernel=13, heads="max", layers="max")
    assert AttentionOracle() == paper


@pytest.mark.parametrize("change", [{"heads": "mean"}, {"layers": "mean"}, {"kernel": 11}])
def test_another_variant_would_be_noticed(change: dict[str, Any]) -> None:
    seen = answer_layers()
    expected = slow_importance(seen, AttentionOracle())
    assert furthest(importance(AttentionOracle(**change), seen), expected) > 1e-3


def test_the_models_rules_count() -> None:
    seen = answer_layers(softcap=2.0, sliding_window=12, sinks=torch.ones(4))
    assert furthest(importance(AttentionOracle(), seen), slow_importance(seen, AttentionOracle())) < 1e-6


@pytest.mark.parametrize(("heads", "layers"), VARIANTS)
@pytest.mark.parametrize("block", [1, 4 * TOKENS * 3])
def test_the_size_of_a_block_does_not_matter(
    monkeypatch: pytest.MonkeyPatch, block: int, heads: str, layers: str
) -> None:
    seen = answer_layers(kv_heads=1, dim=4)
    oracle = AttentionOracle(heads=heads, layers=layers)
    whole = importance(oracle, seen)
    monkeypatch.setattr(look_back, "BLOCK", block)
    assert torch.allclose(importance(oracle, seen), whole, rtol=1e-5, atol=1e-7)


def asked_blocks(monkeypatch: pytest.MonkeyPatch, seen: Sequence[AttentionLayer], block: int) -> list[tuple[int, ...]]:
    """(layer, start, stop) of every block of attention that the oracle asks for; it asks for nothing else."""
    asked: list[tuple[int, ...]] = []
    attention_block = AttentionLayer.attention_block

    def spy(layer: AttentionLayer, start: int, stop: int) -> Tensor:
        asked.append((layer.index, start, stop))
        return attention_block(layer, start, stop)

    with monkeypatch.context() as patch:
        patch.setattr(look_back, "BLOCK", block)
        patch.setattr(AttentionLayer, "attention_block", spy)
        patch.delattr(AttentionLayer, "attention")
        patch.delattr(AttentionLayer, "dots")
        importance(AttentionOracle(), seen)
    return asked


def test_never_more_than_a_block_of_one_layer_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = answer_layers(kv_heads=1, dim=4)  # a row of attention is as large as the keys, 4 x 30 values
    for block, rows in [(1, 1), (4 * TOKENS * 3, 3), (4 * TOKENS * ANSWER, ANSWER)]:
        asked = asked_blocks(monkeypatch, seen, block)
        assert max(stop - start for _, start, stop in asked) == rows
        for layer in range(3):  # every answer token of every layer once, in order
            assert [t for index, *span in asked if index == layer for t in range(*span)] == list(range(ANSWER))


def test_a_block_may_be_as_large_as_the_keys_of_a_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = answer_layers(kv_heads=2, dim=8)  # 16 values a token: four rows of 4 heads
    assert {stop - start for _, start, stop in asked_blocks(monkeypatch, seen, 1)} == {4, 3}


def test_the_attended_token_is_the_important_one() -> None:
    keys = torch.zeros(1, 40, 1)
    keys[0, 25] = 100.0
    layer = random_layer(queries=torch.ones(1, 3, 1), keys=keys, first_position=39)
    sharp = importance(AttentionOracle(kernel=1), [layer])
    assert torch.allclose(sharp, torch.eye(40)[[25]])
    smoothed = importance(AttentionOracle(), [layer])
    assert torch.allclose(smoothed, sum(torch.eye(40)[19:32], torch.zeros(40)) / 13)  # six neighbours on both sides


@pytest.mark.parametrize(("heads", "layers"), VARIANTS)
def test_importance_is_a_share(heads: str, layers: str) -> None:
    found = importance(AttentionOracle(heads=heads, layers=layers, kernel=1), answer_layers())
    assert found.min() >= 0
    assert found.max() <= 1
    if "max" not in (heads, layers):
        assert torch.allclose(found.sum(dim=-1), torch.ones(()))


def test_an_answer_that_leaves_the_window_is_still_a_number() -> None:
    assert importance(AttentionOracle(), answer_layers(sliding_window=3)).isfinite().all()


def test_one_layer_each_is_still_one_row_a_layer() -> None:
    assert importance(AttentionOracle(layers="each"), answer_layers(layers=1)).shape == (1, TOKENS)


@pytest.mark.parametrize(("field", "bad"), [("heads", "sum"), ("layers", "last")])
def test_an_unknown_choice_is_an_error(field: str, bad: str) -> None:
    choice: dict[str, Any] = {field: bad}
    with pytest.raises(ValueError, match=f"{field} is '{bad}', must be one of"):
        AttentionOracle(**choice)


@pytest.mark.parametrize("kernel", [12, 0, -1])
def test_a_kernel_without_a_middle_is_an_error(kernel: int) -> None:
    with pytest.raises(ValueError, match=f"kernel is {kernel}, must be odd"):
        AttentionOracle(kernel=kernel)


def test_no_layer_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one attention layer and one query of the answer, got none"):
        importance(AttentionOracle(), [])
