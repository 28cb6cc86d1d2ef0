"""AnswerPasses: hidden keys against one full pass with an explicit mask, on every architecture; what must not agree; what is refused."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.capture.slow_passes import hidden_logits
from tests.prefill.cases import HYBRID, PLAIN, TOKENS, model_of, prompt
from tokenrank.capture import answer_passes
from tokenrank.capture.answer_passes import AnswerPasses, chosen_logprobs
from tokenrank.capture.answer_rows import AnswerRows
from tokenrank.capture.cache import layer_copy
from tokenrank.capture.pruning import PrunedRun
from tokenrank.capture.reading import read
from tokenrank.capture.rope_lengths import in_passes
from tokenrank.models.architectures import tiny_of

GIVEN = [7, 3, 60, 21, 5, 33]
CHUNKS = [set(range(0, 9)), set(range(20, 31)), set(range(30, 40)), set(range(0, 38, 2)), set()]


def visible(chunks: Any = CHUNKS, tokens: int = TOKENS) -> Tensor:
    seen = torch.ones(len(chunks), tokens, dtype=torch.bool)
    for row, chunk in zip(seen, chunks, strict=True):
        row[list(chunk)] = False
    return seen


def passes_of(model: Any, answer: list[int] = GIVEN, ids: Tensor | None = None) -> AnswerPasses:
    ids = prompt() if ids is None else ids
    reading = read(model, ids, lambda _: None, max_new_tokens=len(answer), answer_ids=answer, keep_cache=True)
    assert reading.cache is not None
    return AnswerPasses(model, ids, torch.tensor(answer), reading.cache)


def found(passes: AnswerPasses, seen: Tensor) -> Tensor:
    logits = {number: each.clone() for number, each in passes.logits(seen)}
    assert list(logits) == list(range(len(seen)))
    return torch.stack(list(logits.values()))


@pytest.mark.parametrize("implementation", [None, "eager"])
@pytest.mark.parametrize("architecture", PLAIN)
def test_hidden_keys_are_a_full_pass_in_which_they_are_masked(architecture: str, implementation: str | None) -> None:
    model = model_of(architecture, implementation)
    logits = found(passes_of(model), visible())
    wanted = [hidden_logits(model, prompt(), GIVEN, chunk) for chunk in CHUNKS]
    assert torch.allclose(logits, torch.stack(wanted), atol=1e-4)
    assert all(not torch.allclose(logits[one], wanted[other], atol=1e-3) for one, other in [(0, 1), (1, 2), (3, 4)])


@pytest.mark.parametrize("architecture", PLAIN)
def test_with_everything_visible_the_answer_is_read_as_generate_reads_it(architecture: str) -> None:
    model = tiny_of(architecture)
    whole = torch.cat([prompt(), torch.tensor(GIVEN[:-1])])
    with torch.inference_mode():
        wanted = model(input_ids=whole[None]).logits[0, TOKENS - 1 :]
    assert torch.allclose(found(passes_of(model), visible([set()]))[0], wanted, atol=1e-4)


@pytest.mark.parametrize("architecture", ["llama", "mistral (window)", "gemma2", "deepseek_v3 (yarn)", "gpt_oss"])
def test_a_wrong_position_says_something_else(architecture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = passes_of(model_of(architecture))
    wanted = found(passes, visible())
    plain = in_passes
    monkeypatch.setattr(answer_passes, "in_passes", lambda *given: [(ids, start + 1) for ids, start in plain(*given)])
    shifted = found(passes, visible())
    assert all(not torch.allclose(one, other, atol=1e-3) for one, other in zip(shifted, wanted, strict=True))


@pytest.mark.parametrize("architecture", ["llama", "mistral (window)", "gemma2", "deepseek_v3 (yarn)", "gpt_oss"])
def test_a_pass_that_sees_the_rows_of_others_says_something_else(
    architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = passes_of(model_of(architecture))
    wanted = found(passes, visible())
    plain = AnswerRows.seen

    def leaking(rows: AnswerRows, window: int | None, device: torch.device) -> Tensor:
        seen = plain(rows, window, device).clone()
        causal = torch.ones(len(seen), len(seen), dtype=torch.bool).tril()
        seen[:, -len(seen) :] = causal
        return seen

    monkeypatch.setattr(AnswerRows, "seen", leaking)
    leaked = found(passes, visible())
    assert torch.allclose(leaked[0], wanted[0], atol=1e-4)  # it is the first
    assert all(not torch.allclose(leaked[row], wanted[row], atol=1e-3) for row in range(1, len(CHUNKS)))


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "deepseek_v3 (yarn)", "gpt_oss"])
def test_rows_and_logits_held_at_a_time_are_limited(architecture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = passes_of(model_of(architecture))
    wanted = found(passes, visible())
    fed: list[int] = []
    plain = AnswerPasses._masked

    def noted(self: AnswerPasses, seen: Tensor) -> Tensor:
        fed.append(len(seen))
        return plain(self, seen)

    monkeypatch.setattr(AnswerPasses, "_masked", noted)
    for limits, sizes in [((12, 2**27), [2, 2, 1]), ((512, 18 * 64 * 4), [3, 2]), ((5, 2**27), [1] * 5)]:
        monkeypatch.setattr(answer_passes, "ROWS", limits[0])
        monkeypatch.setattr(answer_passes, "LOGITS_BYTES", limits[1])
        fed.clear()
        assert torch.allclose(found(passes, visible()), wanted, atol=1e-5)
        assert fed == sizes


@pytest.mark.parametrize("architecture", ["llama", "mistral (window)", "gpt_oss", "deepseek_v3 (yarn)"])
def test_nothing_of_the_cache_is_changed(architecture: str) -> None:
    model = model_of(architecture)
    reading = read(model, prompt(), lambda _: None, max_new_tokens=6, answer_ids=GIVEN, keep_cache=True)
    assert reading.cache is not None
    held = [layer_copy(reading.cache, layer) for layer in range(len(reading.cache.layers))]
    before = [(each.keys.clone(), each.values.clone()) for each in held]
    passes = AnswerPasses(model, prompt(), torch.tensor(GIVEN), reading.cache)
    first = found(passes, visible())
    layers: Any = reading.cache.layers
    for layer, (keys, values) in zip(layers, before, strict=True):
        assert torch.equal(layer.keys, keys)
        assert torch.equal(layer.values, values)
    assert torch.equal(found(passes, visible()), first)


@pytest.mark.parametrize("architecture", ["llama", "gemma2", "mistral (window)"])
@pytest.mark.parametrize(("tokens", "answer"), [(40, [7]), (1, [7, 3, 5]), (1, [7]), (2, [9, 9])])
def test_short_answers_and_prompts(architecture: str, tokens: int, answer: list[int]) -> None:
    model, chunks = model_of(architecture), [{0}, set(), {tokens - 1}]
    logits = found(passes_of(model, answer, prompt(tokens)), visible(chunks, tokens))
    wanted = [hidden_logits(model, prompt(tokens), answer, chunk) for chunk in chunks]
    assert torch.allclose(logits, torch.stack(wanted), atol=1e-4)


def scaled_by_length(rope_type: str, limit: int) -> Any:
    """The llama with rotary frequencies that change after so many tokens."""
    own = {"short_factor": [1.0] * 4, "long_factor": [3.0] * 4} if rope_type == "longrope" else {"factor": 4.0}
    first: Any = model_of("llama")
    config = type(first.config)(**(first.config.to_dict() | {"max_position_embeddings": limit}))
    length = {"original_max_position_embeddings": limit}
    config.rope_parameters = {"rope_type": rope_type, "rope_theta": 1e4} | length | own
    model = type(first)(config).eval()
    model.load_state_dict(first.state_dict())
    return model


@pytest.mark.parametrize("rope_type", ["dynamic", "longrope"])
@pytest.mark.parametrize(("limit", "parts"), [(TOKENS - 2, None), (TOKENS, 2), (TOKENS + 2, 2), (TOKENS + 9, None)])
def test_where_frequencies_depend_on_the_length_rows_are_read_as_in_decoding(
    rope_type: str, limit: int, parts: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = scaled_by_length(rope_type, limit)
    run = PrunedRun(model, prompt(), answer_tokens=6)
    wanted = torch.cat([run.prefill()[None], run.feed(torch.tensor(GIVEN[:-1]), TOKENS)])
    passes, seen = passes_of(model), visible([set(), {3, 4, 5, 20}, set()])
    logits = found(passes, seen)
    assert torch.allclose(logits[0], wanted, atol=1e-4)
    assert torch.allclose(logits[2], wanted, atol=1e-4)
    assert not torch.allclose(logits[1], wanted, atol=1e-3)
    monkeypatch.setattr(answer_passes, "in_passes", lambda _, ids, start: [(ids, start)])
    if parts is not None:  # the answer crosses the limit
        assert not torch.allclose(found(passes, seen)[0], wanted, atol=1e-3)


def test_logprobs_are_those_of_the_answer_in_float32() -> None:
    passes = passes_of(model_of("llama"))
    seen = visible()
    wanted = torch.stack([each.log_softmax(dim=1)[range(6), GIVEN] for each in found(passes, seen)])
    logprobs = passes.logprobs(seen)
    assert logprobs.dtype == torch.float32
    assert torch.allclose(logprobs, wanted, atol=1e-5)
    half = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.bfloat16)
    assert chosen_logprobs(half, torch.tensor([1])).dtype == torch.float32


@pytest.mark.parametrize("architecture", HYBRID)
def test_states_of_all_tokens_together_are_refused(architecture: str) -> None:
    with pytest.raises(
        ValueError, match="a state of all tokens together, so single tokens of a prompt cannot be hidden"
    ):
        passes_of(model_of(architecture))


@pytest.mark.parametrize(
    "seen", [torch.ones(40, dtype=torch.bool), torch.ones(2, 39, dtype=torch.bool), torch.ones(2, 40)]
)
def test_what_is_visible_has_one_bool_for_each_token(seen: Tensor) -> None:
    with pytest.raises(ValueError, match=r"must be torch\.bool of shape \(passes, 40\)"):
        list(passes_of(model_of("llama")).logits(seen))


def test_an_answer_without_tokens_is_refused() -> None:
    reading = read(model_of("llama"), prompt(), lambda _: None, max_new_tokens=1, keep_cache=True)
    assert reading.cache is not None
    with pytest.raises(ValueError, match=r"must be \(T,\) with at least one token"):
        AnswerPasses(model_of("llama"), prompt(), torch.zeros(0, dtype=torch.int64), reading.cache)


def test_a_reading_keeps_its_cache_only_if_it_is_asked_to() -> None:
    assert read(model_of("llama"), prompt(), lambda _: None, max_new_tokens=2).cache is None
