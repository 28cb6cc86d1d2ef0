"""A prompt with all its contestants in a run: odd answers and references, engines' own ends, errors, the store."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from torch import Tensor

from tests.command import SMALL, Command
from tests.plans import plan, records, tables
from tokenrank.capture import reading
from tokenrank.evaluation.plan import Plan, reference_answer
from tokenrank.metrics.answer_loss import FullAnswer
from tokenrank.records.measures import FIDELITY, OF_ANSWER, REFERENCE
from tokenrank.records.record import Record
from tokenrank.records.tables import Tables

ONE = ("task.depths=[50]", "prefill.keep=[20]", "heuristic=claa")
BOTH = pytest.mark.parametrize("evaluation", ["accuracy", "fidelity"])
REFERENCES = {REFERENCE + name for name in OF_ANSWER}


def measured(made: Plan, **changes: Any) -> Record:
    """The record of the plan's only prompt, with some of its fields changed."""
    (unit,) = made.units
    return records(replace(made, units=(replace(unit, prompt=replace(unit.prompt, **changes)),)))[0]


def metrics(record: Record) -> set[str]:
    """Names of what was measured."""
    return set(record.rows["metric"])


@BOTH
def test_an_answer_of_one_end_token_has_every_measure(evaluation: str) -> None:
    found = measured(plan(*ONE, evaluation=evaluation), stop_ids=tuple(range(257)))
    assert not found.failed
    wide = found.rows.assign(who=found.rows["heuristic"].fillna("full")).pivot(
        index="who", columns="metric", values="value"
    )
    assert set(FIDELITY) <= set(wide.columns)
    assert wide[list(FIDELITY)].notna().all(axis=None)
    assert wide["departure"].equals(wide["same_token"])  # of one token
    assert wide["reference_departure"].max() > 1
    assert found.sample["answer_tokens"] == 1


@BOTH
def test_a_reference_without_tokens_is_told_and_costs_its_own_measures_alone(
    evaluation: str, caplog: pytest.LogCaptureFixture
) -> None:
    made = plan(*ONE, evaluation=evaluation)
    with caplog.at_level(logging.WARNING, "tokenrank"):
        caplog.clear()  # what planning says where a level was set before
        right = measured(made)
        assert not caplog.records
        found = measured(made, answers=("", "75960"))
    assert [each.getMessage() for each in caplog.records] == [
        "the first reference answer of prompt niah_300_50_0 has no tokens: nothing is measured of it"
    ]
    assert not found.failed
    assert metrics(right) - metrics(found) == REFERENCES
    rest = right.rows[~right.rows["metric"].isin(REFERENCES | {"accuracy"})].reset_index(drop=True)
    pd.testing.assert_frame_equal(found.rows[found.rows["metric"] != "accuracy"].reset_index(drop=True), rest)


def test_a_prompt_without_references_has_the_other_measures(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "tokenrank"):
        found = measured(plan(*ONE, evaluation="fidelity"), answers=())
    assert not caplog.records
    assert metrics(found) & set(FIDELITY) == set(OF_ANSWER)


def fidelity_of(found: Tables, front: str = "") -> pd.Series:
    """(contestant, metric) -> value of the answer's measures, without the reference's."""
    rows = found.metrics[found.metrics["metric"].isin([front + name for name in OF_ANSWER])]
    named = rows.assign(who=rows["heuristic"].fillna("full"), metric=rows["metric"].str.removeprefix(front))
    return named.set_index(["who", "metric"])["value"].sort_index()


def test_the_answer_measured_is_the_one_that_is_given(tmp_path: Path) -> None:
    generated = tables(*ONE, evaluation="fidelity")
    reference = tables(*ONE, "answer=reference", evaluation="fidelity")
    file = tmp_path / "answers.jsonl"
    file.write_text(json.dumps({"id": "niah_300_50_0", "answer": "7596"}) + "\n")
    brought = tables(*ONE, f"answers={file}", evaluation="fidelity")
    assert (
        reference.samples["answer"].to_list() == brought.samples["answer"].to_list() == ["7596"]
    )  # of 75960, four tokens
    assert generated.samples["answer"].to_list() != ["7596"]
    assert REFERENCES.isdisjoint(reference.metrics["metric"])  # it is the answer itself
    # another oracle's truth: its contestants keep other tokens
    same = ["full", "claa", "random@claa"]
    of_reference = fidelity_of(generated, REFERENCE)[same]
    pd.testing.assert_series_equal(fidelity_of(reference)[same], of_reference, rtol=0, atol=1e-6)
    pd.testing.assert_series_equal(fidelity_of(brought), fidelity_of(reference), rtol=0, atol=0)
    pd.testing.assert_series_equal(fidelity_of(brought, REFERENCE), fidelity_of(brought), rtol=0, atol=1e-6)
    assert set(reference.metrics["metric"]).isdisjoint({"accuracy"})
    assert generated.runs["answer"].notna().sum() == 1  # the full prefill's: nobody else answers


def test_accuracy_refuses_answers_that_are_given(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^answer is reference, must be generated: the answers are graded$"):
        plan(*ONE, "answer=reference", evaluation="accuracy")
    file = tmp_path / "answers.jsonl"
    file.write_text(json.dumps({"id": "niah_300_50_0", "answer": "7596"}) + "\n")
    with pytest.raises(ValueError, match=r"^answer is brought \(by the setting answers\), must be generated"):
        plan(*ONE, f"answers={file}", evaluation="accuracy")


@BOTH
def test_each_engine_has_its_own_bound_and_control(evaluation: str) -> None:
    found = tables(
        "heuristic=[claa,fastkv,gemfilter,speculative]", "task.depths=[50]", "prefill.keep=[20]", evaluation=evaluation
    )
    who = found.runs.dropna(subset=["heuristic"]).groupby("engine")["heuristic"].agg(set).to_dict()
    assert who == {
        "layerwise": {"fastkv", "oracle", "random"},
        "layerwise@claa": {"claa", "oracle@claa", "random@claa"},
        "restart@gemfilter": {"gemfilter", "oracle@gemfilter", "random@gemfilter"},
        "draft@speculative": {"speculative", "oracle@speculative", "random@speculative"},
    }
    gaps = found.summary[(found.summary["statistic"] == "gap_closed") & (found.summary["metric"] == "loss")]
    ends = gaps.set_index("heuristic")["value"]
    assert {name: ends[name] for name in ends.index if name.startswith("oracle")} == dict.fromkeys(
        ["oracle", "oracle@claa", "oracle@gemfilter", "oracle@speculative"], 1.0
    )
    assert (ends[[name for name in ends.index if name.startswith("random")]] == 0).all()


@BOTH
def test_a_heuristic_that_breaks_in_the_shared_pass_costs_its_rows_alone(evaluation: str) -> None:
    fails = (
        "+heuristic.fails._target_=tests.doubles.Fails",
        "+heuristic.fails.tokens=300",
        "+heuristic.fails.memory=true",
    )
    found = measured(plan(*ONE, *fails, evaluation=evaluation))
    failed = [run for run in found.runs if run["status"] != "ok"]
    assert [(run["heuristic"], run["error"]) for run in failed] == [("fails", "out of memory: no room")]
    assert found.sample["error"] == "fails at 20 %: out of memory: no room"
    right = measured(plan(*ONE, evaluation=evaluation))
    assert {run["heuristic"] for run in found.runs} - {run["heuristic"] for run in right.runs} == {
        "fails",
        "oracle",
        "random",
    }
    own = found.rows[~found.rows["heuristic"].isin(["oracle", "random"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(own, right.rows, check_exact=False, rtol=0, atol=1e-4)


@BOTH
def test_together_or_not_the_numbers_are_the_same(evaluation: str) -> None:
    settings = ("heuristic=[claa,fastkv,gemfilter]", "task.depths=[0,50]", "prefill.keep=[10,40]")
    one, other = (tables(*settings, f"prefill.together={each}", evaluation=evaluation) for each in ("true", "false"))
    pd.testing.assert_frame_equal(one.metrics, other.metrics, check_exact=False, rtol=0, atol=1e-4)
    columns = ["sample", "engine", "heuristic", "keep", "kept", "flops", "kv_bytes", "answer", "accuracy"]
    pd.testing.assert_frame_equal(one.runs[columns], other.runs[columns])


def test_a_second_run_from_the_store_decodes_nothing_and_measures_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = (*ONE, f"store={tmp_path / 'store'}")
    (first,) = records(plan(*made, evaluation="fidelity"))
    monkeypatch.setattr(reading, "greedy", None)
    (again,) = records(plan(*made, evaluation="fidelity"))
    pd.testing.assert_frame_equal(again.rows, first.rows, check_exact=True)
    assert again.runs == first.runs


@pytest.mark.usefixtures("no_pictures")
def test_a_run_that_goes_on_in_the_middle_gives_the_same_bytes(tokenrank: Command, tmp_path: Path) -> None:
    settings = (*SMALL, "evaluation=fidelity", "prefill.keep=[20]", "heuristic=[claa,gemfilter]")
    assert tokenrank(*settings).code == 0
    folder = tmp_path / "run"
    names = ("metrics", "summary", "runs")
    before = {name: (folder / f"{name}.parquet").read_bytes() for name in names}
    kept, *gone = sorted((folder / "records").iterdir())
    for each in [*gone, *folder.glob("*.parquet")]:
        each.unlink()
    untouched = kept.stat().st_mtime_ns
    assert tokenrank(*settings).code == 0
    assert kept.stat().st_mtime_ns == untouched
    assert gone
    assert {name: (folder / f"{name}.parquet").read_bytes() for name in names} == before


def test_a_reference_that_cannot_be_scored_costs_its_own_measures_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = plan(*ONE, evaluation="fidelity")
    right, own = measured(made), FullAnswer.of
    (refused,) = {reference_answer(made.tokenizer, unit.prompt).token_ids for unit in made.units}

    def of(logits: Tensor, ids: Tensor) -> FullAnswer:
        if tuple(ids.tolist()) == refused:
            raise ValueError("token 0 is forbidden")
        return own(logits, ids)

    monkeypatch.setattr("tokenrank.evaluation.contest.FullAnswer.of", of)
    with caplog.at_level(logging.WARNING, "tokenrank"):
        found = measured(made)
    assert "nothing is measured of a reference answer: token 0 is forbidden" in caplog.text
    assert metrics(right) - metrics(found) == REFERENCES
    assert not found.failed
