"""The sentences below a printed table."""

from dataclasses import replace

import pytest

from tests.report.contestant_examples import accuracy_tables, as_tables, fidelity_tables, whose
from tests.report.ranking_examples import at_layer, ranked
from tests.report.ttft_examples import ttft_tables
from tokenrank.records.schema import RUNS, table
from tokenrank.records.tables import Tables
from tokenrank.report.sentences.notes import notes

RANKED = ranked([at_layer("a", "claa", 0, "recall", 10.0, 0.5)], samples=[{"id": "a", "status": "ok"}])


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        (RANKED, "1 prompt ranked, 0 failed"),
        (accuracy_tables(), "12 prompts answered by every contestant, 0 not"),
        (fidelity_tables(), "12 prompts measured with every contestant, 0 not"),
        (ttft_tables(), "4 prompts timed with every contestant, 0 not"),
        (as_tables(samples=[{"id": "a", "status": "failed"}]), "1 prompt failed, see samples.parquet"),
    ],
)
def test_every_run_says_how_many_prompts_are_complete(tables: Tables, said: str) -> None:
    assert notes(tables, {}) == [said]


def test_times_say_on_which_machine_they_were_measured() -> None:
    tables = ttft_tables()
    assert (
        notes(replace(tables, samples=tables.samples.assign(host="node1", device="A100")), {})[0]
        == "timed on node1 (A100)"
    )
    ranked_there = replace(RANKED, samples=RANKED.samples.assign(host="node1", device="A100"))
    assert notes(ranked_there, {}) == ["1 prompt ranked, 0 failed"]  # values of a ranking are no times


def test_means_over_fewer_prompts_than_were_run_are_named() -> None:
    tables = accuracy_tables()
    fewer = replace(tables, summary=tables.summary.assign(prompts=11))
    assert notes(fewer, {})[0] == (
        "means are over the 11 of 12 prompts that every contestant answered at every keep rate"
    )
    fed = fidelity_tables()
    assert notes(replace(fed, summary=fed.summary.assign(prompts=11)), {})[0] == (
        "means are over the 11 of 12 prompts that were measured with every contestant at every keep rate"
    )
    none = replace(tables, summary=tables.summary.head(0))
    assert notes(none, {})[0].startswith("means are over the 0 of 12 prompts")


def test_contestants_that_failed_everywhere_are_named_and_do_not_count_for_means_and_prompts() -> None:
    rows = [
        whose(name, 10.0) | {"sample": sample, "status": status}
        for name, sample, status in (
            ("full", "s0", "ok"), ("claa", "s0", "ok"), ("claa", "s1", "failed"), ("tova", "s0", "failed"),
        )
    ]  # fmt: skip
    said = notes(replace(accuracy_tables(), runs=table(rows, RUNS)), {})
    assert said == [
        "means are over the 12 of 12 prompts that every other contestant answered at every keep rate; "
        "tova at 10 % has none and is left out",
        "every run failed, see runs.parquet: tova",
        "11 prompts answered by every other contestant, 1 not",
    ]


def test_prompts_without_a_grade_are_counted_apart() -> None:
    tables = accuracy_tables()
    is_accuracy = tables.summary["metric"] == "accuracy"
    summary = tables.summary.assign(prompts=tables.summary["prompts"].mask(is_accuracy, 9))
    said = "accuracy is over 9 of these 12 prompts: the others have no reference answer, or no metric for their task"
    rough, *others = notes(replace(tables, summary=summary), {})
    assert rough.startswith("Intervals over 9 prompts (accuracy) are rough")
    assert others == [said, "12 prompts answered by every contestant, 0 not"]
    ungraded = replace(
        tables,
        summary=tables.summary[~is_accuracy],
        metrics=tables.metrics[tables.metrics["metric"] != "accuracy"],
    )
    assert notes(ungraded, {})[0].startswith("accuracy is over 0 of these 12 prompts")


def test_prompts_without_a_loss_are_counted_apart_where_it_was_measured_at_all() -> None:
    for tables in (accuracy_tables(), fidelity_tables()):
        is_loss = tables.summary["metric"] == "loss"
        fewer = replace(tables, summary=tables.summary.assign(prompts=tables.summary["prompts"].mask(is_loss, 9)))
        assert "loss is over 9 of these 12 prompts: of the others it was not measured" in notes(fewer, {})
        assert not any("loss" in line for line in notes(tables, {}))
    older = accuracy_tables()
    without = replace(
        older,
        summary=older.summary[older.summary["metric"] != "loss"],
        metrics=older.metrics[older.metrics["metric"] != "loss"],
    )
    assert notes(without, {}) == ["12 prompts answered by every contestant, 0 not"]


def test_prompts_that_lack_a_metric_are_ranked_and_the_metric_is_named() -> None:
    rows = [at_layer("a", "claa", 0, "recall", 10.0, 0.5), at_layer("b", "claa", 0, "recall", 10.0, 0.5)]
    why = "metric kendall of claa: ZeroDivisionError: division by zero"
    samples = [{"id": "a", "status": "failed", "error": why}, {"id": "b", "status": "ok"}]
    found = ranked(rows, samples=[*samples, {"id": "c", "status": "failed", "error": "no room"}])
    said = [f"1 prompt without some values, see samples.parquet: {why}", "2 prompts ranked, 1 failed"]
    assert notes(found, {}) == said


@pytest.mark.parametrize(("units", "said"), [(60, ["half a run: 12 of 60 units are done"]), (12, []), (None, [])])
def test_a_run_that_is_not_finished_says_so(units: int | None, said: list[str]) -> None:
    environment = {} if units is None else {"units": [f"unit {number}" for number in range(units)]}
    assert notes(accuracy_tables(), environment)[1:] == said
