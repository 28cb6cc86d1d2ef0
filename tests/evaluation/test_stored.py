"""What is stored is computed once, and numbers do not depend on what was stored before."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from tests.plans import plan
from tokenrank.capture import reading
from tokenrank.capture.layer import AttentionLayer
from tokenrank.evaluation.stored_values import as_columns, as_rows
from tokenrank.heuristics.claa import CLAA
from tokenrank.heuristics.fastkv import FastKV
from tokenrank.metrics import ranked_tokens
from tokenrank.models.tiny import Tiny
from tokenrank.oracle.answer_attention import AttentionOracle
from tokenrank.records.record import Record
from tokenrank.work.loading import load_model
from tokenrank.work.loop import run_unit

MODEL = Tiny(name="tiny").model()
TIMED = ("prefill_seconds", "decode_seconds", "oracle_seconds", "metrics_seconds", "seconds")


def run(*overrides: str, evaluation: str = "ranking") -> list[Record]:
    made = plan(*overrides, evaluation=evaluation)
    load_model(made)
    return [run_unit(made, MODEL, unit, lambda _: None)[0] for unit in made.units]


def same(one: Sequence[Record], other: Sequence[Record], heuristics: Sequence[str] | None = None) -> None:
    """The measured values (of these heuristics), answers and accuracies are the same to the last bit."""
    for a, b in zip(one, other, strict=True):
        rows = [each.rows for each in (a, b)]
        if heuristics is not None:
            rows = [each[each["heuristic"].isin(heuristics)].reset_index(drop=True) for each in rows]
        assert len(rows[0])
        pd.testing.assert_frame_equal(rows[0], rows[1], check_exact=True)
        samples = [
            {name: value for name, value in each.sample.items() if name not in (*TIMED, "key")} for each in (a, b)
        ]
        assert samples[0] == samples[1]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often answers were decoded, prompts read, truths made, layers scored and rankings sorted."""
    counts = dict.fromkeys(("decode", "read", "truth", "claa", "fastkv", "sorted"), 0)

    def counted(owner: Any, name: str, what: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        def call(*arguments: Any, **named: Any) -> Any:
            counts[what] += 1
            return original(*arguments, **named)

        monkeypatch.setattr(owner, name, call)

    counted(reading, "greedy", "decode")
    counted(reading, "_prefill", "read")
    counted(AttentionOracle, "truth", "truth")
    counted(CLAA, "score", "claa")
    counted(FastKV, "score", "fastkv")
    counted(ranked_tokens, "sorted_places", "sorted")  # levels of tokens sort too
    return counts


def test_a_second_run_reads_and_measures_nothing(tmp_path: Path, calls: dict[str, int]) -> None:
    first = run("heuristic=[claa,oracle]", "save_levels=false", f"store={tmp_path}")
    assert calls == {"decode": 2, "read": 2, "truth": 2, "claa": 8, "fastkv": 0, "sorted": 6}  # 2 prompts, 4 layers
    again = run("heuristic=[claa,oracle]", "save_levels=false", f"store={tmp_path}")
    assert calls == {"decode": 2, "read": 2, "truth": 2, "claa": 8, "fastkv": 0, "sorted": 6}
    same(first, again)
    assert again[0].sample["prefill_seconds"] is None


def test_another_heuristic_costs_its_own_scores_alone(tmp_path: Path, calls: dict[str, int]) -> None:
    alone = run("heuristic=claa", "save_levels=false", f"store={tmp_path}")
    before = dict(calls)
    both = run("heuristic=[fastkv,claa]", "save_levels=false", f"store={tmp_path}")
    assert {name: calls[name] - before[name] for name in calls} == {
        "decode": 0, "read": 2, "truth": 0, "claa": 0, "fastkv": 8, "sorted": 4,
    }  # fmt: skip
    same([*alone], [*both], heuristics=["claa"])
    same(both, run("heuristic=[fastkv,claa]", "save_levels=false", "store=null"))


@pytest.mark.parametrize("evaluation", ["ranking", "accuracy"])
@pytest.mark.parametrize("answer", ["generated", "reference"])
def test_the_numbers_are_those_of_a_run_without_a_store(tmp_path: Path, evaluation: str, answer: str) -> None:
    if (evaluation, answer) == ("accuracy", "reference"):
        pytest.skip("accuracy is of generated answers")
    given: tuple[str, ...] = (f"answer={answer}", "heuristic=[claa,speculative,random,oracle]")
    if evaluation == "accuracy":
        given = (given[0], "heuristic=[claa,random]", "prefill.keep=[20]")
    elif answer == "reference":
        given = (given[0], "heuristic=[claa,random,oracle]")
    without = run(*given, "store=null", evaluation=evaluation)
    run(given[0], "heuristic=snapkv", f"store={tmp_path}")  # another run, with a shorter look-ahead
    for _ in range(2):
        same(without, run(*given, f"store={tmp_path}", evaluation=evaluation))


def test_new_metrics_are_measured_on_stored_scores(tmp_path: Path, calls: dict[str, int]) -> None:
    run("heuristic=claa", f"store={tmp_path}")
    before = dict(calls)
    found = run("heuristic=claa", "metric=[recall,spearman]", "k=[7]", "plots.k=7", f"store={tmp_path}")
    assert {name: calls[name] - before[name] for name in ("decode", "read", "truth", "claa")} == dict.fromkeys(
        ("decode", "read", "truth", "claa"), 0
    )
    same(found, run("heuristic=claa", "metric=[recall,spearman]", "k=[7]", "plots.k=7", "store=null"))


def test_stored_values_belong_to_their_metrics_in_whichever_order_these_are_chosen(
    tmp_path: Path, calls: dict[str, int]
) -> None:
    run("heuristic=claa", "metric=[recall,spearman]", "save_levels=false", f"store={tmp_path}")
    before = calls["sorted"]
    found = run("heuristic=claa", "metric=[spearman,recall]", "save_levels=false", f"store={tmp_path}")
    assert calls["sorted"] == before
    same(found, run("heuristic=claa", "metric=[spearman,recall]", "save_levels=false", "store=null"))


def test_without_stored_rankings_the_prompt_is_read_again_but_not_answered(
    tmp_path: Path, calls: dict[str, int]
) -> None:
    for _ in range(2):
        run("heuristic=claa", f"store={tmp_path}", "store_rankings=false")
    assert (calls["decode"], calls["read"], calls["truth"], calls["claa"]) == (2, 4, 2, 16)
    assert not (tmp_path / "rankings").exists()


@pytest.mark.parametrize("kind", ["answers", "truths", "rankings", "values"])
def test_a_damaged_entry_is_made_again(tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    first = run("heuristic=claa", f"store={tmp_path}")
    files = sorted((tmp_path / kind).rglob("*.safetensors"))
    whole = [file.read_bytes() for file in files]
    for file, content in zip(files, whole, strict=True):
        file.write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
    same(first, run("heuristic=claa", f"store={tmp_path}"))
    assert [file.read_bytes() for file in files] == whole


def test_accuracy_uses_the_answers_that_ranking_stored(tmp_path: Path, calls: dict[str, int]) -> None:
    run("heuristic=claa", f"store={tmp_path}")
    before = dict(calls)
    run("heuristic=claa", "prefill.keep=[20]", f"store={tmp_path}", evaluation="accuracy")
    assert (calls["decode"], calls["truth"]) == (before["decode"], before["truth"])


def test_a_metric_that_fails_is_not_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> torch.Tensor:
        raise RuntimeError("broke")

    with monkeypatch.context() as patch:
        patch.setattr("tokenrank.metrics.recall.recall_at_k", broken)
        assert all(each.failed for each in run("heuristic=claa", f"store={tmp_path}"))
    assert not (tmp_path / "values").exists()
    same(run("heuristic=claa", f"store={tmp_path}"), run("heuristic=claa", "store=null"))


def test_rows_come_back_as_they_were() -> None:
    rows: list[dict[str, Any]] = [
        {"metric": "b", "k": None, "layer": 0, "value": 0.1},
        {"metric": "a", "k": 5.0, "layer": 3, "value": float("nan")},
        {"metric": "a", "k": 12.5, "layer": 3, "value": 1 / 3, "other_layer": 4},
    ]
    found = as_rows(as_columns(rows, ["a", "b"]), ["a", "b"])
    assert repr(found) == repr(rows)
    assert as_rows(as_columns([], []), []) == []


def test_scores_of_a_layer_are_not_kept_from_being_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails leaves nothing in the store: the next run finds no scores, and fails or succeeds by itself."""

    def broken(self: CLAA, layer: AttentionLayer) -> torch.Tensor:
        return torch.full((layer.tokens,), float("nan"))

    with monkeypatch.context() as patch:
        patch.setattr(CLAA, "score", broken)
        assert all(each.failed for each in run("heuristic=claa", f"store={tmp_path}"))
    assert not (tmp_path / "rankings").exists()
    same(run("heuristic=claa", f"store={tmp_path}"), run("heuristic=claa", "store=null"))
