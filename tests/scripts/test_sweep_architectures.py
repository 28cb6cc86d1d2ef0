"""The sweep over decoder classes: what is exact, what is refused, controls that it must find wrong, and its command."""

import re
import subprocess
import sys
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from tests.sweep.alone import ENGINES, Alone, alone
from tests.sweep.building import MODEL_TYPES, tiny_model
from tests.sweep.readings import PROMPT, prompt
from tests.sweep.rows import row_of, rows_of
from tests.sweep.sharing import ONE_PASS, SHARED, TOGETHER, WHOLE, sharing_verdicts
from tests.sweep.shrinking import tiny_config
from tests.sweep.table import page
from tests.sweep.variants import ROPE
from tests.sweep.verdicts import BAD, EXACT, NOT_MADE, ONE_BY_ONE, REFUSED, TRACEBACK, WRONG, Row, Verdict, judge
from tokenrank.capture.captured_layer import captured_layer
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.position_masks import PositionMasks
from tokenrank.capture.row_blocks import Fed, RowsLayer
from tokenrank.capture.second_half import second_half
from tokenrank.capture.shared_prefill import SharedPrefill
from tokenrank.prefill.kept_tokens import best_and_protected, refuse_count

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("model_type", ["mistral", "jamba"])
def test_an_exact_class_is_exact_in_reading_and_every_engine(model_type: str) -> None:
    row = row_of(model_type)
    assert row.reading == Verdict(EXACT)
    assert row.engines == dict.fromkeys(ENGINES, Verdict(EXACT))
    assert row.deviation < 1e-4
    assert row.sharing == dict.fromkeys((SHARED, ONE_PASS, WHOLE, TOGETHER), Verdict(EXACT)) | (
        {}
        if model_type == "mistral"
        else {TOGETHER: Verdict(ONE_BY_ONE, "it has layers with a state of all tokens together")}
    )
    assert not row.bad
    assert row.acting == ({"sliding_window": True} if model_type == "mistral" else {})


@pytest.mark.parametrize(
    ("model_type", "settings", "sentence"),
    [
        ("bloom", {}, "BloomForCausalLM computes attention outside transformers' attention interface"),
        ("inkling_text", {}, "position_bias"),
        ("bert", {"is_decoder": False}, "is bidirectional"),
    ],
)
def test_a_refused_class_has_the_sentence(model_type: str, settings: dict[str, Any], sentence: str) -> None:
    row = row_of(model_type, **settings)
    assert row.reading.word == REFUSED
    assert sentence in row.reading.reason
    assert not row.engines
    assert not row.bad


@pytest.mark.parametrize("wrong", [{"sliding_window": 17}, {"sliding_window": None}, {"scale": 0.3}])
def test_a_wrong_rule_is_found(monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any]) -> None:
    def other(*given: Any, **named: Any) -> AttentionLayer:
        return replace(captured_layer(*given, **named), **wrong)

    monkeypatch.setattr("tokenrank.capture.reading.captured_layer", other)
    row = row_of("mistral")
    assert row.reading.word == WRONG
    assert row.reading.reason.startswith("attention differs by")
    assert row.bad


def test_an_answer_of_its_own_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.sweep.readings.generated", lambda *_: [1, 2, 3, 4, 5, 6])
    assert "generate() says [1, 2, 3, 4, 5, 6]" in row_of("llama").reading.reason


def test_an_engine_that_keeps_one_other_token_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def other(scores: Tensor, kept: int, protected: Tensor) -> Tensor:
        places = best_and_protected(scores, kept, protected)
        if places.dim() > 1:  # of the caches, one row for each head
            missing = next(token for token in range(scores.shape[-1]) if token not in places[0])
            places[0] = torch.cat([places[0][1:], torch.tensor([missing])]).sort().values
        return places

    monkeypatch.setattr("tokenrank.prefill.scores.best_and_protected", other)
    row = row_of("llama")
    assert {name for name, verdict in row.engines.items() if verdict.word == WRONG} == {"claa", "fastkv"}
    assert "those of the slow version" in row.engines["claa"].reason


def test_layers_that_hold_nothing_are_copied_too() -> None:
    row = row_of("mllama")  # without an image its cross attention reads nothing
    assert {row.sharing[name].word for name in (SHARED, ONE_PASS, WHOLE)} == {EXACT}
    assert row.sharing[TOGETHER].word == ONE_BY_ONE


def test_engines_that_are_refused_alone_are_refused_after_a_shared_prefill() -> None:
    row = row_of("gemma3n")
    assert {name for name, verdict in row.engines.items() if verdict.word == REFUSED} == {"claa", "fastkv"}
    assert {row.sharing[name].word for name in (SHARED, ONE_PASS, WHOLE)} == {EXACT}
    assert sharing_verdicts(*arguments("bart")) == {}  # not even full prefill runs


def arguments(model_type: str, *, refused: Collection[str] = ()) -> tuple[PreTrainedModel, Tensor, Any, dict[str, str]]:
    """Those of ``sharing_verdicts``, as if these engines had been refused."""
    model, ids = tiny_model(model_type), prompt()
    found: dict[str, Alone] = {}
    for name in ENGINES:
        if name not in refused:
            with suppress(ValueError):
                found[name] = alone(name, model, ids)
    return model, ids, found, dict.fromkeys(refused, "it is odd")


def test_an_engine_that_runs_after_a_shared_prefill_alone_is_found() -> None:
    found = sharing_verdicts(*arguments("llama", refused=["fastkv"]))
    assert found.keys() == {SHARED}
    assert found[SHARED].word == WRONG
    assert found[SHARED].reason.startswith(
        "fastkv must be refused after a shared prefill (it is odd), but its kept tokens are ["
    )


def more_operations(*given: Any) -> tuple[Tensor, int]:
    logits, operations = second_half(*given)
    return logits, operations + 1


def moved(self: SharedPrefill, layer: int, select_layer: int) -> Any:
    return 1.001 * plain_output(self, layer, select_layer)


def without_one(scores: Tensor, kept: int, protected: Tensor) -> Tensor:
    places = best_and_protected(scores, kept, protected)
    return places[..., 1:] if kept == PROMPT else places


def without_mask(self: PositionMasks, query: Tensor, *given: Any) -> Tensor | None:
    return None if query.shape[2] > 1 else plain_mask(self, query, *given)


def of_the_next_row(self: RowsLayer, key: Tensor, value: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    return plain_update(self, key.roll(1, 0), value.roll(1, 0))


def one_further(self: Fed, rows: Sequence[int], tokens: int) -> Tensor:
    return plain_positions(self, rows, tokens) + 1


plain_output, plain_mask, plain_update, plain_positions = (
    SharedPrefill.output,
    PositionMasks.of_answer,
    RowsLayer.update,
    Fed.positions,
)
FAULTS: list[tuple[str, Any, str, str]] = [  # what is replaced, by what -> the check that finds it, and its words
    ("prefill.layerwise.second_half", more_operations, SHARED, r"claa after a shared prefill: operations are \d+, alone \d+"),
    ("capture.shared_prefill.SharedPrefill.output", moved, SHARED, "claa after a shared prefill: logits differ by .* from those alone"),
    ("capture.position_masks.PositionMasks.of_answer", without_mask, ONE_PASS, "full: logits of an answer that is fed in one pass differ by"),
    ("prefill.scores.best_and_protected", without_one, WHOLE, "claa: at a keep rate of 100 % the loss is"),
    ("capture.row_blocks.RowsLayer.update", of_the_next_row, TOGETHER, "the answer together is|logits together differ"),
    ("capture.row_blocks.Fed.positions", one_further, TOGETHER, "the answer together is|logits together differ"),
    ("capture.rows.blocks_of", lambda *_: 1 / 0, TOGETHER, "ZeroDivisionError"),
]  # fmt: skip


@pytest.mark.parametrize(("place", "wrong", "check", "words"), FAULTS)
def test_a_fault_of_what_is_shared_is_named(
    place: str, wrong: Any, check: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tokenrank.capture.together._reason_against", lambda _: None)  # which would find some of them
    if check == TOGETHER:
        monkeypatch.setattr("tokenrank.capture.row_blocks._is_same", lambda *_: True)
    monkeypatch.setattr(f"tokenrank.{place}", wrong)
    row = row_of("llama")
    assert row.reading.word == EXACT
    assert row.bad
    assert {name for name, verdict in row.sharing.items() if verdict.word in BAD} >= {check}
    assert re.search(words, row.sharing[check].reason), row.sharing[check]
    text = page([row])
    assert f"{row.sharing[check].word} [" in text
    assert row.sharing[check].reason in text


def test_a_class_that_cannot_be_decoded_together_is_wrong_if_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = row_of("deepseek_v3").sharing[TOGETHER]
    assert verdict.word == ONE_BY_ONE
    assert "changes keys or values after they were cached" in verdict.reason
    monkeypatch.setattr("tokenrank.capture.together._reason_against", lambda _: None)
    assert row_of("deepseek_v3").sharing[TOGETHER].word == WRONG


def test_only_a_sentence_of_the_package_is_a_refusal() -> None:
    def ours() -> str:
        refuse_count(torch.zeros(4), tokens=5)
        return ""

    refused = judge(ours)
    assert refused.word == REFUSED
    assert refused.reason == "there are 4 scores for the prompt's 5 tokens, must be as many"
    theirs = judge(lambda: str(int("no number")))
    assert theirs.word == TRACEBACK
    assert theirs.reason.startswith("ValueError: invalid literal for int() with base 10: 'no number' (test_sweep_arch")
    assert judge(lambda: "other") == Verdict(WRONG, "other")
    assert judge(lambda: "") == Verdict(EXACT)


def test_what_hides_tokens_is_shrunk_below_the_prompt_and_every_kind_of_layer_is_kept() -> None:
    gemma = tiny_config("gemma3").get_text_config(decoder=True)
    assert gemma.layer_types == ["sliding_attention"] * 3 + ["full_attention"]
    assert gemma.sliding_window < PROMPT
    assert tiny_config("deepseek_v32").index_topk < PROMPT
    assert set(tiny_config("qwen3_next").layer_types) == {"linear_attention", "full_attention"}


def test_the_same_weights_each_time_whatever_the_attention() -> None:
    one, other = (tiny_model("gpt_oss", way) for way in (None, "eager"))
    assert all(torch.equal(*pair) for pair in zip(one.parameters(), other.parameters(), strict=True))
    assert any(name.endswith("sinks") and each.abs().min() > 0 for name, each in one.named_parameters())


def test_a_class_has_rows_for_its_scaled_positions() -> None:
    rows = rows_of("phi3")
    assert [row.variant for row in rows] == ["", *ROPE]
    assert not any(row.bad for row in rows)
    words = {row.variant: row.reading.word for row in rows}
    assert words["yarn"] == NOT_MADE  # its config allows no other than longrope
    assert (words["longrope"], words["longrope, passed in the answer"]) == (EXACT, REFUSED)


def test_sentences_are_numbered_in_the_table() -> None:
    rows = [
        Row("one", "", "OneLM", Verdict(REFUSED, "OneLM is odd")),
        Row("two", "", "TwoLM", Verdict(REFUSED, "TwoLM is odd"), acting={"sliding_window": False}),
        Row("three", "", "ThreeLM", Verdict(EXACT)),
        *(Row("three", name, "ThreeLM", Verdict(EXACT)) for name in ROPE),
    ]
    text = page(rows)
    assert "| one | OneLM | refused [1] |" in text
    assert "| two | TwoLM | refused [1] |" in text
    assert "sliding_window (no effect)" in text
    assert "2 refused, 1 exact" in text
    assert f"| three |{' exact |' * len(ROPE)}" in text
    assert text.endswith("1. CLASS is odd")


def test_the_table_of_the_docs_has_every_class_and_nothing_wrong() -> None:
    text = (ROOT / "docs" / "decoder_classes.md").read_text(encoding="utf-8")
    first = {line.split("|")[1].split(",")[0].strip() for line in text.splitlines() if line.startswith("| ")}
    assert set(MODEL_TYPES) <= first
    assert WRONG not in text
    assert TRACEBACK not in text


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own, in the checkout."""
    return subprocess.run([sys.executable, *code.split(), *arguments], cwd=ROOT, capture_output=True, text=True)


def test_the_command_prints_a_row_each_and_writes_the_table(tmp_path: Path) -> None:
    done = run("scripts/sweep_architectures.py --plain", "bloom", "llama", "--table", str(tmp_path / "table.md"))
    assert done.returncode == 0, done.stderr
    lines = sorted(done.stdout.splitlines())
    assert lines[0] == f"2 classes, 2 rows, 0 of them wrong or with an error (transformers {version()})"
    assert lines[1].startswith("bloom (BloomForCausalLM) - refused: BloomForCausalLM computes attention outside")
    assert lines[2] == "llama (LlamaForCausalLM) - exact"
    assert "| llama | LlamaForCausalLM | exact |" in (tmp_path / "table.md").read_text()


def version() -> str:
    import transformers

    return transformers.__version__


def test_a_job_that_hangs_or_dies_stops_no_other() -> None:
    code = """
import os, sys, time
sys.path[:0] = ["src", "."]
from tests.sweep.pool import in_processes
work = {"good": lambda: 7, "hangs": lambda: time.sleep(60), "dies": lambda: os._exit(3)}
found = dict(in_processes(lambda job: work[job](), list(work), workers=2, seconds=2, gigabytes=64))
assert found == {"good": 7, "hangs": "it took longer than 2 seconds", "dies": "its process ended with exit code 3"}, found
"""
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
