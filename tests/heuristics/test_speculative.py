"""Speculation: which queries count, against loops; with another draft; and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast
from transformers import PreTrainedTokenizerBase as Tokenizer

from tests import slow
from tests.slow import random_layer
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.needs import Needs
from tokenrank.capture.reading import read
from tokenrank.heuristics.speculative import Speculative
from tokenrank.models.tiny import Tiny

PROMPT = torch.tensor([(7 * i * i + 3) % 256 for i in range(50)])


def answered(rows: int, **rules: int) -> list[AttentionLayer]:
    """Two layers of 40 prompt tokens with ``rows`` queries of an answer."""
    layers = []
    for index in range(2):
        longer = random_layer(index=index, seed=index, tokens=39 + rows)
        of_prompt = {"keys": longer.keys[:, :40], "queries": longer.queries[:, 39:], "first_position": 39}
        layers.append(random_layer(index=index, **(of_prompt | rules)))  # type: ignore[arg-type]
    return layers


def slow_score(layers: list[AttentionLayer], queries: range, kernel: int) -> slow.Array:
    strongest = np.maximum(*[slow.attention(layer).max(axis=0) for layer in layers])  # (queries, tokens)
    return slow.average(np.mean([strongest[query] for query in queries], axis=0), kernel)


@pytest.mark.parametrize(("last_query", "queries"), [(True, range(4)), (False, range(1, 4))])
def test_score_is_that_of_the_slow_version(last_query: bool, queries: range) -> None:
    layers = answered(rows=6)
    method = Speculative(look_ahead=3, kernel=5, last_query=last_query)
    wanted = slow_score(layers, queries, 5)
    assert method.from_answer(layers).tolist() == pytest.approx(wanted.tolist(), abs=1e-6)
    other = Speculative(look_ahead=4, kernel=5, last_query=last_query).from_answer(layers)
    assert other.tolist() != pytest.approx(wanted.tolist(), abs=1e-4)


def test_the_sliding_window_moves_with_the_queries() -> None:
    layers = answered(rows=6, sliding_window=12)
    found = Speculative(look_ahead=5, kernel=1, last_query=False).from_answer(layers)
    assert found.tolist() == pytest.approx(slow_score(layers, range(1, 6), 1).tolist(), abs=1e-6)


def test_a_short_answer_gives_the_queries_it_has() -> None:
    layers = answered(rows=2)
    found = Speculative(look_ahead=8, kernel=1).from_answer(layers)
    assert found.tolist() == pytest.approx(slow_score(layers, range(2), 1).tolist(), abs=1e-6)
    with pytest.raises(ValueError, match="one query of the answer"):
        Speculative(last_query=False).from_answer(answered(rows=1))


@pytest.fixture
def draft(tmp_path: Path, tiny_model: PreTrainedModel, byte_tokenizer: Tokenizer) -> str:
    """The tiny model as a folder."""
    tiny_model.save_pretrained(tmp_path / "draft")
    byte_tokenizer.save_pretrained(tmp_path / "draft")
    return str(tmp_path / "draft")


def test_a_draft_that_is_the_model_itself_ranks_as_no_draft(draft: str, tiny_model: PreTrainedModel) -> None:
    own = read(tiny_model, PROMPT, lambda _: None, max_new_tokens=9).answer_layers
    wanted = Speculative().from_answer(own)
    torch.testing.assert_close(Speculative(draft=draft, device="cpu").from_answer(own), wanted)
    other = read(Tiny(seed=1).model(), PROMPT, lambda _: None, max_new_tokens=9).answer_layers
    torch.testing.assert_close(Speculative(draft=draft, device="cpu").from_answer(other), wanted)
    assert not torch.allclose(Speculative().from_answer(other), wanted)


def test_only_without_a_draft_must_the_models_own_answer_be_longer() -> None:
    assert Speculative(look_ahead=5).needs == Needs(answer=True, look_ahead=5)
    assert Speculative(look_ahead=5, draft="some-model").needs == Needs(answer=True)


def test_a_draft_must_share_the_tokenizer(draft: str, byte_tokenizer: PreTrainedTokenizerFast) -> None:
    Speculative(draft=draft).check(byte_tokenizer, "generated")
    larger = Tiny().tokenizer()
    larger.add_tokens(["<one more>"])
    with pytest.raises(ValueError, match="whose tokenizer is not the model's"):
        Speculative(draft=draft).check(larger, "generated")


def test_without_a_draft_the_answer_must_be_the_models_own(draft: str, byte_tokenizer: Tokenizer) -> None:
    Speculative(draft=draft).check(byte_tokenizer, "reference")
    with pytest.raises(ValueError, match=r"draft is null, which needs answer=generated"):
        Speculative().check(byte_tokenizer, "reference")


@pytest.mark.parametrize("look_ahead", [0, -3])
def test_less_than_one_token_ahead_is_an_error(look_ahead: int) -> None:
    with pytest.raises(ValueError, match=f"look_ahead is {look_ahead}, must be at least 1 token"):
        Speculative(look_ahead=look_ahead)
