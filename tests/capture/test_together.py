"""can_run_together and decode_together: which models can, answers that end at different times, errors of one row, following."""

import copy
import logging
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from tests.prefill.cases import ANSWER, HYBRID, PLAIN, TOKENS, layers_of, model_of, prompt
from tokenrank.capture import together
from tokenrank.capture.decoding import AnswerSoFar, Decoding
from tokenrank.capture.row_blocks import Fed, RowsLayer
from tokenrank.capture.rows import Rows
from tokenrank.capture.together import can_run_together, decode_together, follow
from tokenrank.heuristics.claa import CLAA
from tokenrank.heuristics.gemfilter import GemFilter
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.models.architectures import ARCHITECTURES, tiny_of
from tokenrank.prefill.engine import Engine, Full, Job, Prefilled
from tokenrank.prefill.layerwise import Layerwise
from tokenrank.prefill.restart import Restart

CASES: list[tuple[Engine, Heuristic, int]] = [
    (Layerwise(window=4), CLAA(window=4, n=2), 18),
    (Full(), CLAA(), 40),
    (Restart(window=4), GemFilter(), 18),
    (Layerwise(window=4), CLAA(window=4, n=2), 6),
]


def read(model: PreTrainedModel, architecture: str = "llama", decoding: Decoding | None = None) -> list[Prefilled]:
    """One prompt each."""
    return [
        engine.resolved(heuristic, layers_of(architecture)).prefill(
            Job(model, heuristic, prompt(seed=seed), kept, answer_tokens=ANSWER, decoding=decoding)
        )
        for seed, (engine, heuristic, kept) in enumerate(CASES)
    ]


def begun(done: list[Prefilled], limit: int = ANSWER) -> list[AnswerSoFar]:
    return [each.job.rules.begin(each.job.model, each.job.input_ids, limit) for each in done]


def laid(done: list[Prefilled]) -> Rows:
    return Rows([each.run for each in done], [each.next_position for each in done])


def decoded(done: list[Prefilled], limit: int = ANSWER) -> list[list[int] | Exception]:
    return decode_together(laid(done), [each.logits for each in done], begun(done, limit), limit)


@pytest.mark.parametrize("architecture", [name for name in PLAIN if not name.startswith("deepseek")])
def test_most_architectures_answer_together_as_one_by_one(architecture: str) -> None:
    model = model_of(architecture)
    assert can_run_together(model)
    done = read(model, architecture)
    wanted = [each.answer(ANSWER) for each in done]
    for each in done:
        each.run.back()
    assert decoded(done) == wanted


@pytest.mark.parametrize("architecture", [name for name in PLAIN if not name.startswith("deepseek")])
def test_the_eager_function_serves_rows_too(architecture: str) -> None:
    assert can_run_together(model_of(architecture, "eager"))


@pytest.mark.parametrize(
    ("architecture", "reason"),
    [(name, "it has layers with a state of all tokens together") for name in HYBRID]
    + [(f"deepseek_{version} (yarn)", "changes keys or values after they were cached") for version in ("v2", "v3")],
)
def test_other_architectures_are_decoded_one_by_one_and_the_log_says_why_once(
    architecture: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    model = tiny_of(architecture)
    with caplog.at_level(logging.INFO, "tokenrank"):
        assert not can_run_together(model)
        assert not can_run_together(model)
    assert [reason in record.message for record in caplog.records if record.name == "tokenrank"] == [True]


@pytest.mark.parametrize(
    "rope",
    [
        {"rope_type": "dynamic", "factor": 4.0},
        {"rope_type": "longrope", "short_factor": [1.0] * 4, "long_factor": [2.0] * 4, "original_max_position_embeddings": 64},
    ],
)  # fmt: skip
def test_frequencies_that_depend_on_the_largest_position_are_refused(
    rope: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    plain: Any = tiny_of("llama")
    plain.config.rope_parameters = {"rope_theta": 1e4, "factor": 2.0} | rope
    with caplog.at_level(logging.INFO, "tokenrank"):
        assert not can_run_together(type(plain)(plain.config).eval())
    assert "frequencies depend on the largest position" in caplog.text


def test_the_look_is_taken_again_after_a_change_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    model: Any = tiny_of("llama")
    looks: list[torch.dtype] = []
    plain = together._reason_against

    def noted(each: PreTrainedModel) -> str | None:
        looks.append(each.dtype)
        return plain(each)

    monkeypatch.setattr(together, "_reason_against", noted)
    assert can_run_together(model)
    assert can_run_together(model)
    assert can_run_together(model.bfloat16())
    assert looks == [torch.float32, torch.bfloat16]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("fault", ["row", "position", "store"])
def test_rows_that_are_served_wrongly_are_found_out(
    dtype: torch.dtype, fault: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model: Any = tiny_of("llama")
    model.to(dtype)
    if fault == "row":  # keys of the other row
        plain = RowsLayer.update
        monkeypatch.setattr(RowsLayer, "update", lambda self, key, value: plain(self, key.flip(0), value.flip(0)))
        monkeypatch.setattr("tokenrank.capture.row_blocks._is_same", lambda *_: True)
    elif fault == "position":  # of the other row
        monkeypatch.setattr(Fed, "positions", lambda self, rows, tokens: self.start.flip(0)[rows, None] + torch.arange(tokens))  # fmt: skip
    else:  # new tokens are not seen by those that follow
        monkeypatch.setattr(RowsLayer, "update", lambda self, key, value: self.__dict__.update(_given=(key, value)) or (key, value))  # fmt: skip
    with caplog.at_level(logging.INFO, "tokenrank"):
        assert not can_run_together(model)
    assert "its logits are off by" in caplog.text


@pytest.mark.parametrize("limit", [1, 2, ANSWER])
def test_rows_that_have_ended_leave_and_the_others_go_on(limit: int) -> None:
    model = model_of("llama")
    plain = [each.answer(ANSWER) for each in read(model)]
    ends = Decoding(frozenset({plain[0][2], plain[2][0]}))
    wanted = [each.answer(limit) for each in read(model, decoding=ends)]
    assert decoded(read(model, decoding=ends), limit) == wanted
    if limit == ANSWER:
        assert sorted({len(each) for each in wanted})[:2] == [1, 3]


def test_rules_of_decoding_see_each_rows_own_prompt_and_answer() -> None:
    model: Any = copy.deepcopy(model_of("llama"))
    free = [each.answer(ANSWER) for each in read(model)]
    model.generation_config.repetition_penalty = 5.0
    wanted = [each.answer(ANSWER) for each in read(model)]
    assert wanted != free
    assert decoded(read(model)) == wanted


def test_a_row_whose_logits_are_not_finite_is_an_error_and_the_others_go_on() -> None:
    model = model_of("llama")
    wanted = [each.answer(ANSWER) for each in read(model)]
    done = read(model)
    layer: Any = done[2].run.kept.cache.layers[1]
    layer.hold(layer.keys, torch.full_like(layer.values, float("nan")))
    found = decoded(done)
    assert isinstance(found[2], ValueError)
    assert "answer token 1: the model's logits are NaN" in str(found[2])
    assert [found[row] for row in (0, 1, 3)] == [wanted[row] for row in (0, 1, 3)]


def test_when_every_row_fails_there_are_only_errors() -> None:
    done = read(model_of("llama"))
    bad = [torch.full_like(each.logits, float("inf")) for each in done]
    found = decode_together(laid(done), bad, begun(done), ANSWER)
    assert all("answer token 0" in str(each) and isinstance(each, ValueError) for each in found)


@pytest.mark.parametrize("given", ["full", "own", "part", "other"])
@pytest.mark.parametrize("architecture", ["llama", "mistral (window)", "gemma2"])
def test_what_was_fed_to_compare_answers_is_not_fed_again(architecture: str, given: str) -> None:
    model = model_of(architecture)
    wanted = [each.answer(ANSWER) for each in read(model, architecture)]
    part = [*wanted[0][:3], (wanted[0][3] + 1) % 64, 1, 2]
    ids = {"full": wanted[1], "own": wanted[3], "part": part, "other": [1, 2, 3, 4, 5, 6]}[given][:-1]
    done = read(model, architecture)
    rows, answers = laid(done), begun(done)
    for row, logits in rows.logits_of(torch.tensor(ids)):
        follow(answers[row], done[row].logits, ids, logits, ANSWER)
    same = [next((n for n, (a, b) in enumerate(zip(ids, each, strict=False)) if a != b), len(ids)) for each in wanted]
    assert [len(each.tokens) for each in answers] == [each + 1 for each in same]
    fed: list[int] = []
    plain = rows._pass

    def noted(some: list[int], ids: Tensor) -> Tensor:
        fed.extend(some)
        return plain(some, ids)

    rows._pass = noted  # type: ignore[method-assign, assignment]
    assert decode_together(rows, [each.logits for each in done], answers, ANSWER) == wanted
    assert sorted(fed) == sorted(row for row in range(4) for _ in range(ANSWER - 1 - same[row]))
    assert {"full": ANSWER - 1, "own": ANSWER - 1, "part": 3, "other": 0}[given] in same
    assert 0 in same


def test_an_answer_that_cannot_be_followed_is_the_error_of_decoding() -> None:
    done = read(model_of("llama"))
    wanted = [each.answer(ANSWER) for each in read(model_of("llama"))]
    rows, answers = laid(done), begun(done)
    for row, logits in rows.logits_of(torch.tensor(wanted[0][:-1])):
        bad = torch.full_like(logits, float("nan")) if row == 0 else logits
        follow(answers[row], done[row].logits, wanted[0][:-1], bad, ANSWER)
    assert answers[0].tokens == wanted[0][:1]
    assert decode_together(rows, [each.logits for each in done], answers, ANSWER) == wanted


def test_an_answer_is_followed_to_its_end_and_not_beyond() -> None:
    done = read(model_of("llama"))
    plain = read(model_of("llama"))[0].answer(ANSWER)
    ends = Decoding(frozenset(plain[2:3]))
    for rules, limit, length in ((ends, ANSWER, 3), (Decoding(frozenset()), 2, 2)):
        answer = rules.begin(done[0].job.model, prompt(), limit)
        logits = dict(laid(read(model_of("llama"))).logits_of(torch.tensor(plain[:-1])))[0]
        follow(answer, done[0].logits, plain[:-1], logits, limit)
        assert answer.tokens == plain[:length]


def test_every_architecture_is_in_one_of_these_lists() -> None:
    assert set(PLAIN) | set(HYBRID) == set(ARCHITECTURES)
    assert TOKENS > 2 * 16  # windows hide some tokens
