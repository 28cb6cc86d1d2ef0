"""Speculation: which queries count and in which order they are reduced, against loops; another draft; and what it refuses."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast
from transformers import PreTrainedTokenizerBase as Tokenizer

from tests import slow
from tests.plans import composed
from tests.slow import random_layer
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.needs import Needs
from tokenrank.capture.reading import read
from tokenrank.heuristics.speculative import Speculative
from tokenrank.models.architectures import tiny_of
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


def slow_score(layers: list[AttentionLayer], queries: range, kernel: int, *, last: bool = False) -> slow.Array:
    """Each head smoothed, maximum over heads and layers, mean over queries; with ``last`` the mean is smoothed instead."""
    rows = []
    for query in queries:
        heads = [head[query] for layer in layers for head in slow.attention(layer)]
        rows.append(np.max([head if last else slow.average(head, kernel) for head in heads], axis=0))
    mean = np.mean(rows, axis=0)
    return slow.average(mean, kernel) if last else mean


@pytest.mark.parametrize(("smoothed", "last"), [("heads", False), ("scores", True)])
@pytest.mark.parametrize(("last_query", "queries"), [(True, range(3)), (False, range(1, 4))])
def test_score_is_that_of_the_slow_version(last_query: bool, queries: range, smoothed: str, last: bool) -> None:
    layers = answered(rows=6)
    method = Speculative(look_ahead=3, kernel=5, last_query=last_query, smoothed=smoothed, chunk=None)
    wanted = slow_score(layers, queries, 5, last=last)
    assert method.from_answer(layers).tolist() == pytest.approx(wanted.tolist(), abs=1e-6)
    beside = replace(method, extra_query=True).from_answer(layers)
    assert beside.tolist() == pytest.approx(
        slow_score(layers, range(0 if last_query else 1, 4), 5, last=last).tolist(), abs=1e-6
    )
    for change in ({"look_ahead": 4}, {"last_query": not last_query}, {"kernel": 3}, {"chunk": 8}):
        other = replace(method, **change).from_answer(layers)
        assert other.tolist() != pytest.approx(wanted.tolist(), abs=1e-4)
    assert slow_score(layers, queries, 5, last=not last).tolist() != pytest.approx(wanted.tolist(), abs=1e-4)


def looking_at(*tokens: int) -> AttentionLayer:
    """Three prompt tokens, and one query whose heads attend to these."""
    keys, queries = 100 * torch.eye(3).expand(len(tokens), 3, 3), torch.eye(3)[list(tokens)][:, None]
    return random_layer(tokens=3, queries=queries, keys=keys, scale=1.0, first_position=2)


def test_each_head_is_smoothed_before_the_maximum() -> None:
    """Attention [1, 0, 0] and [0, 0, 1] with kernel 3: each becomes a third at itself and in the middle."""
    layer = looking_at(0, 2)
    first = Speculative(look_ahead=1, kernel=3, chunk=None)
    assert first.from_answer([layer]).tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3])
    last = replace(first, smoothed="scores")
    assert last.from_answer([layer]).tolist() == pytest.approx([1 / 3, 2 / 3, 1 / 3])


def test_the_tokens_of_a_chunk_share_their_mean() -> None:
    layer = looking_at(0, 2)
    chunked = Speculative(look_ahead=1, kernel=1, chunk=2)
    assert chunked.from_answer([layer]).tolist() == pytest.approx([1 / 2, 1 / 2, 1])
    single = [replace(chunked, chunk=chunk).from_answer([layer]).tolist() for chunk in (1, None)]
    assert single == [pytest.approx([1, 0, 1])] * 2
    assert Speculative().chunk == 32


def test_so_many_queries_are_read_as_tokens_are_looked_ahead() -> None:
    layers = answered(rows=12)
    found = Speculative(chunk=None).from_answer(layers)
    assert found.tolist() == pytest.approx(slow_score(layers, range(8), 13).tolist(), abs=1e-6)
    assert found.tolist() != pytest.approx(slow_score(layers, range(9), 13).tolist(), abs=1e-4)


def test_the_sliding_window_moves_with_the_queries() -> None:
    layers = answered(rows=6, sliding_window=12)
    found = Speculative(look_ahead=5, kernel=1, last_query=False, chunk=None).from_answer(layers)
    assert found.tolist() == pytest.approx(slow_score(layers, range(1, 6), 1).tolist(), abs=1e-6)


def test_a_short_answer_gives_the_queries_it_has() -> None:
    layers = answered(rows=2)
    found = Speculative(look_ahead=8, kernel=1, chunk=None).from_answer(layers)
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
    torch.testing.assert_close(Speculative().draft_scores(tiny_model, PROMPT), wanted)
    torch.testing.assert_close(Speculative(draft=draft, device="cpu").from_answer(own), wanted)
    other = read(Tiny(seed=1).model(), PROMPT, lambda _: None, max_new_tokens=9).answer_layers
    torch.testing.assert_close(Speculative(draft=draft, device="cpu").from_answer(other), wanted)
    assert not torch.allclose(Speculative().from_answer(other), wanted)


def test_a_draft_that_reads_fewer_tokens_than_the_prompt_is_refused(
    tmp_path: Path, tiny_model: PreTrainedModel, byte_tokenizer: Tokenizer
) -> None:
    short = tiny_of("llama")  # reads 128 tokens
    short.save_pretrained(tmp_path)
    byte_tokenizer.save_pretrained(tmp_path)
    drafting = Speculative(draft=str(tmp_path), device="cpu")
    fed = drafting.look_ahead
    assert drafting.draft_scores(tiny_model, torch.arange(128 - fed) % 64).shape == (128 - fed,)
    with pytest.raises(ValueError, match="reads 128 tokens, and prompt and draft answer have 129: take a draft that"):
        drafting.draft_scores(tiny_model, torch.arange(129 - fed) % 64)


def test_only_without_a_draft_must_the_models_own_answer_be_longer() -> None:
    assert Speculative(look_ahead=5).needs == Needs(answer=True, look_ahead=4)  # the last is predicted, not fed
    assert Speculative(look_ahead=5, last_query=False).needs == Needs(answer=True, look_ahead=5)
    assert Speculative(look_ahead=5, extra_query=True).needs == Needs(answer=True, look_ahead=5)
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


@pytest.mark.parametrize(("field", "bad"), [("chunk", 0), ("chunk", -32), ("smoothed", "layers")])
def test_a_bad_setting_is_an_error(field: str, bad: Any) -> None:
    with pytest.raises(ValueError, match=f"{field} is {bad!r}, must be"):
        Speculative(**{field: bad})


def test_the_experiments_have_the_forms_of_claas_authors() -> None:
    """Those that tests/test_conformance*.py hold against the authors' outputs, but for the draft model."""
    prefill, rankings = (composed(f"experiment={name}") for name in ("paper_prefill", "paper_rankings"))
    both = {"look_ahead": 8, "extra_query": True, "chunk": None}
    assert both | {"kernel": 7} == {key: prefill.heuristic.speculative[key] for key in (*both, "kernel")}
    assert prefill.heuristic.speculative.smoothed == "heads"
    assert prefill.prefill.engine.speculative.window == 0
    last = both | {"kernel": 13, "smoothed": "scores"}
    assert last == dict(rankings.heuristic.speculative)
    assert rankings.prefill.engine.speculative.window == 8
