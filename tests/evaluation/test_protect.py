"""prefill.protect in a run: every contestant of every evaluation keeps the frame, within the keep rate, and the tables say so."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from tests.plans import plan, records

FRAME = {*range(20), *range(280, 300)}
EVALUATIONS = ("accuracy", "fidelity", "ttft")


@cache
def runs(evaluation: str, protect: str) -> list[dict[str, Any]]:
    """Rows of runs.parquet of one prompt of 300 tokens, whose context is 260 of them."""
    tokens = "task.lengths=[300]" if evaluation == "ttft" else "task.depths=[50]"
    made = plan(tokens, "prefill.keep=[20]", "heuristic=[claa,gemfilter,speculative]", evaluation=evaluation)
    (unit,) = made.units
    prompt = replace(unit.prompt, context=range(20, 280))
    evaluated = replace(made.evaluation, protect=protect)  # type: ignore[type-var]
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
