"""prefill.protect in a run: every contestant of every evaluation keeps the frame, within the keep rate, and the tables say so."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from tests.plans import plan, records

FRAME = {*range(20), *range(280, 300)}
EVALUATIONS = ("accuracy", "fidelity", "ttft")


@cache
def runs(evaluation: str, protect: str, budget: str = "within") -> list[dict[str, Any]]:
    """Rows of runs.parquet of one prompt of 300 tokens, whose context is 260 of them."""
    tokens = "task.lengths=[300]" if evaluation == "ttft" else "task.depths=[50]"
    made = plan(tokens, "prefill.keep=[20]", "heuristic=[claa,gemfilter,speculative]", evaluation=evaluation)
    (unit,) = made.units
    prompt = replace(unit.prompt, context=range(20, 280))
    evaluated = replace(made.evaluation, protect=protect, budget=budget)  # type: ignore[type-var]
    (record,) = records(replace(made, evaluation=evaluated, units=(replace(unit, prompt=prompt),)))
    assert not record.failed, record.sample
    return [dict(row) for row in record.runs if row["heuristic"] is not None and row.get("kept") is not None]


@pytest.mark.parametrize("evaluation", EVALUATIONS)
def test_every_contestant_keeps_the_frame_and_no_more_tokens_than_the_keep_rate_says(evaluation: str) -> None:
    found = runs(evaluation, "frame")
    assert {row["protect"] for row in found} == {"frame"}
    assert all(set(row["kept"]) > FRAME and len(row["kept"]) == 60 for row in found)
    names = {row["heuristic"] for row in found}
    assert ("random@gemfilter" in names, "oracle@speculative" in names) == (evaluation != "ttft",) * 2


@pytest.mark.parametrize("evaluation", EVALUATIONS)
def test_with_the_window_alone_every_contestant_loses_some_of_the_frame(evaluation: str) -> None:
    found = runs(evaluation, "window")
    assert {row["protect"] for row in found} == {"window"}
    assert not any(set(row["kept"]) >= FRAME for row in found)
    assert all(set(row["kept"]) >= {*range(292, 300)} for row in found)


@pytest.mark.parametrize("protect", ["window", "frame"])
def test_the_control_of_every_engine_keeps_the_first_token(protect: str) -> None:
    controls = [row for row in runs("accuracy", protect) if row["heuristic"].startswith("random@")]
    assert len(controls) == 3
    assert all(0 in row["kept"] for row in controls)


def test_the_engines_of_rows_are_named_by_kind_and_line() -> None:
    for evaluation in EVALUATIONS:
        named = {row["heuristic"]: row["engine"] for row in runs(evaluation, "window")}
        assert named["claa"] == "layerwise@claa"
        assert named["gemfilter"] == "restart@gemfilter"
        assert named["speculative"] == "draft@speculative"
        assert all(engine.endswith(f"@{name.partition('@')[2] or name}") for name, engine in named.items())


@pytest.mark.parametrize("protect", ["window", "frame"])
@pytest.mark.parametrize("evaluation", EVALUATIONS)
def test_beside_the_keep_rate_every_contestant_keeps_that_rate_of_the_other_tokens(
    evaluation: str, protect: str
) -> None:
    found, always = runs(evaluation, protect, "beside"), FRAME if protect == "frame" else {*range(292, 300)}
    assert {(row["protect"], row["budget"]) for row in found} == {(protect, "beside")}
    for row in found:
        assert set(row["kept"]) > always
        assert len(row["kept"]) == row["kept_tokens"] == len(always) + (300 - len(always)) // 5
    assert {row["budget"] for row in runs(evaluation, protect)} == {"within"}


def test_a_larger_budget_costs_more() -> None:
    """Of every contestant; its operations are counted as they run."""
    few, more = (
        {row["heuristic"]: row for row in runs("fidelity", "frame", budget)} for budget in ("within", "beside")
    )
    assert set(few) == set(more)
    for name, row in few.items():
        assert set(row["kept"]) <= set(more[name]["kept"])  # the best 20 of the context are among the best 52
        assert row["flops"] < more[name]["flops"]
        assert row["kv_bytes"] < more[name]["kv_bytes"]


@pytest.mark.parametrize("budget", ["within", "beside"])
def test_with_all_tokens_kept_nothing_is_lost(budget: str) -> None:
    made = plan(
        "task.depths=[50]",
        "prefill.keep=[100]",
        "prefill.protect=frame",
        f"prefill.budget={budget}",
        "heuristic=[claa,gemfilter]",
        evaluation="fidelity",
    )
    (record,) = records(made)
    assert not record.failed, record.sample
    losses = [row["value"] for row in record.measured.to_pylist() if row["metric"] == "loss"]
    assert len(losses) == 1 + 2 + 4
    assert losses == pytest.approx([0] * 7, abs=1e-5)
    assert all(len(row["kept"]) == 300 for row in record.runs if row["heuristic"] is not None)
