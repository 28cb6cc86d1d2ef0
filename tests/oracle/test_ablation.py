"""Ablation: chunk by chunk against full passes with explicit masks; its clip, its answers of one token, and what is refused."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.capture.slow_passes import hidden_logits
from tests.oracle.cases import CONTEXT, GIVEN, SHAPES, answered, random_case
from tests.prefill.cases import HYBRID, TOKENS, model_of, prompt
from tests.prefill.slow import Hidden, masked_logits
from tokenrank.oracle.ablation import AblationOracle
from tokenrank.oracle.oracle import AnsweredPrompt
from tokenrank.oracle.without_chunks import logprobs_after_pruning

CHUNKS = [
    (0, 4),
    (4, 10),
    (10, 16),
    (16, 22),
    (22, 28),
    (28, 34),
    (34, 40),
]  # of 7 tokens at most, equally long in each part


@cache
def slow_logits(architecture: str, by: str, chunk: range, answer: tuple[int, ...]) -> Tensor:
    """(T, vocabulary), by one pass over prompt and answer in which the chunk is masked."""
    model = model_of(architecture)
    if by == "hidden":
        return hidden_logits(model, prompt(), list(answer), set(chunk))
    kept = [place for place in range(TOKENS) if place not in chunk or place == TOKENS - 1]
    return masked_logits(model, prompt(), list(answer), Hidden(TOKENS, {{"pruned": 0, "removal": -1}[by]: kept}, {}))


def slow(architecture: str, by: str, clip: float, answer: tuple[int, ...] = tuple(GIVEN)) -> list[float]:
    """The importance of each token, one chunk and one token of the answer at a time."""

    def logprobs(chunk: range) -> list[float]:
        rows = slow_logits(architecture, by, chunk, answer).double().softmax(dim=1).log()
        return [float(row[token]) for row, token in zip(rows, answer, strict=True)]

    whole, importance = logprobs(range(0)), []
    for start, stop in CHUNKS:
        without = logprobs(range(start, stop))
        losses = [min(max(one - other, -clip), clip) for one, other in zip(whole, without, strict=True)]
        importance += [sum(losses) / (stop - start)] * (stop - start)
    return importance


@pytest.mark.parametrize("clip", [5.0, 0.3])
@pytest.mark.parametrize("by", ["hidden", "pruned", "removal"])
@pytest.mark.parametrize("architecture", SHAPES)
def test_ablation_is_what_a_slow_version_finds_chunk_by_chunk(architecture: str, by: str, clip: float) -> None:
    case = random_case(architecture)
    found = AblationOracle(chunk=7, by=by, clip=clip, select_layer=0 if by == "pruned" else None).truth(case).importance
    wanted = torch.tensor(slow(architecture, by, clip))
    assert found.shape == (1, TOKENS)
    assert found.dtype == torch.float32
    assert torch.allclose(found[0], wanted, atol=1e-4)
    assert wanted.min() < -0.01
    assert wanted.max() > 0.01


@pytest.mark.parametrize("architecture", SHAPES)
def test_the_three_ablations_differ(architecture: str) -> None:
    case = random_case(architecture)
    hidden, pruned, removal = (
        AblationOracle(chunk=7, by=by).truth(case).importance for by in ("hidden", "pruned", "removal")
    )
    assert not torch.allclose(hidden, pruned, atol=1e-2)
    assert not torch.allclose(pruned, removal, atol=1e-2)


@pytest.mark.parametrize("architecture", SHAPES)
def test_after_the_last_layer_nothing_is_pruned(architecture: str) -> None:
    case = random_case(architecture)
    assert AblationOracle(chunk=7, by="pruned", select_layer=2).truth(case).importance.abs().max() < 1e-4
    chunks = [range(*each) for each in CHUNKS]
    one, other = (
        logprobs_after_pruning(case.model, case.input_ids, case.answer_ids, chunks, layer) for layer in (0, 1)
    )
    assert torch.allclose(one[0], other[0], atol=1e-5)
    assert not torch.allclose(one[1:], other[1:], atol=1e-2)


@pytest.mark.parametrize("by", ["hidden", "pruned", "removal"])
def test_an_answer_of_one_token(by: str) -> None:
    case = random_case("llama", answer=[7])
    found = AblationOracle(chunk=7, by=by).truth(case).importance[0]
    assert torch.allclose(found, torch.tensor(slow("llama", by, 5.0, (7,))), atol=1e-4)


@pytest.mark.parametrize("by", ["hidden", "pruned", "removal"])
def test_the_last_token_is_never_taken_away(by: str) -> None:
    """As a chunk of its own it costs nothing."""
    found = AblationOracle(chunk=1, by=by).truth(random_case("llama", context=None)).importance[0]
    assert found[-1].abs() < 1e-4
    assert (found[:-1].abs() > 1e-4).all()


def test_sentences_are_chunks_of_the_oracle() -> None:
    oracle = AblationOracle(chunk="sentence")
    assert oracle.needs.texts
    assert not AblationOracle(chunk=7).needs.texts
    texts = [" a"] * TOKENS
    for start, _ in CHUNKS[2:5]:
        texts[start - 1] = ".\n"
    case = replace(random_case("llama"), texts=tuple(texts))
    assert torch.equal(oracle.truth(case).importance.isclose(AblationOracle(chunk=7).truth(case).importance)[0, 4:22],
                       torch.ones(18, dtype=torch.bool))  # fmt: skip
    with pytest.raises(ValueError, match="needs the text of each of the 40 tokens, got None"):
        oracle.truth(random_case("llama"))


def test_only_hidden_keys_need_passes() -> None:
    assert [AblationOracle(by=by).needs.passes for by in ("hidden", "pruned", "removal")] == [True, False, False]
    assert not any(AblationOracle(by=by).needs.layers for by in ("hidden", "pruned", "removal"))


@pytest.mark.parametrize("by", ["pruned", "removal"])
@pytest.mark.parametrize("architecture", HYBRID[:2])
def test_hybrids_are_ablated_before_the_answer(architecture: str, by: str) -> None:
    """Their states cannot be gone back from, but the prompt can be read again."""
    case = AnsweredPrompt(
        model_of(architecture), prompt(), replace(random_case("llama").answer, token_ids=tuple(GIVEN)), []
    )
    found = AblationOracle(chunk=20, by=by).truth(case).importance
    assert found.isfinite().all()
    assert found.abs().max() > 1e-3
    with pytest.raises(ValueError, match="a state of all tokens together"):
        answered(case.model, prompt(), GIVEN)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"chunk": 0}, "chunk is 0, must be at least 1 token, or sentence"),
        ({"chunk": "word"}, "chunk is 'word', must be"),
        ({"by": "masked"}, "by is 'masked', must be one of hidden, pruned, removal"),
        ({"clip": 0.0}, "clip is 0.0, must be above 0 nats"),
        ({"clip": float("nan")}, "clip is nan, must be above 0 nats"),
        ({"select_layer": 3}, "select_layer is 3, must be null unless by=pruned"),
    ],
)
def test_bad_settings_are_refused(setting: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        AblationOracle(**setting)


def test_what_does_not_fit_the_prompt_or_model_is_refused() -> None:
    with pytest.raises(ValueError, match="chunk is 31 tokens, and the context has 30"):
        AblationOracle(chunk=len(CONTEXT) + 1).truth(random_case("llama"))
    with pytest.raises(ValueError, match="select_layer is 3, must be an attention layer of the model: 0 to 2"):
        AblationOracle(chunk=7, by="pruned", select_layer=3).truth(random_case("llama"))
