"""One protocol for many runs: who is in, who is left out and why, and which of several runs counts."""

from dataclasses import replace

import pytest

from tests.report.contestant_examples import accuracy_tables
from tests.report.table_examples import contestant_run, table_run, with_tests, without_means
from tests.report.table_examples import protocol_run as ranking
from tokenrank.report.tables.leaderboard_rows import best_of, entries_of, lacks, protocol_of


def test_runs_that_deviate_are_left_out_with_the_setting() -> None:
    first = ranking("a")
    protocol = protocol_of(first, "recall", 10.0, None)
    assert lacks(ranking("b", seed=3, model={"name": "llama3"}), protocol) == ""
    assert lacks(ranking("b", universe={"window": 0}), protocol) == (
        "deviates from the protocol: universe.window is 8 in a and 0 in b"
    )
    assert "evaluation is ranking in a and accuracy in b" in lacks(contestant_run("b"), protocol)
    contestants = protocol_of(contestant_run("a"), "loss", None, 20.0)
    other = with_tests(accuracy_tables())
    kept = type(other)(
        *(
            rows[~(rows["keep"] == 20.0).fillna(value=False)] if "keep" in rows else rows
            for rows in vars(other).values()
        )
    )
    assert lacks(table_run(kept, "b", evaluation={"protect": "window"}), contestants) == "has no loss at keep=20"


def test_a_run_without_the_metric_has_none_rather_than_other_settings() -> None:
    first = ranking("a", metric={"recall": {"at_k": True}})
    other = ranking("b", metric={"spearman": {}})
    summary = other.tables.summary
    fewer = replace(other, tables=replace(other.tables, summary=summary[summary["metric"] == "spearman"]))
    assert lacks(fewer, protocol_of(first, "recall", 10.0, None)) == "has no recall"
    no_mean = replace(other, tables=without_means(other.tables))
    assert lacks(no_mean, protocol_of(first, "recall", 10.0, None)).startswith("holds no mean over its prompts")


def test_the_first_run_must_have_what_is_asked_for() -> None:
    with pytest.raises(ValueError, match=r"^a has no mass$"):
        protocol_of(ranking("a"), "mass", 10.0, None)
    with pytest.raises(ValueError, match=r"^a has no recall at k=7$"):
        protocol_of(ranking("a"), "recall", 7.0, None)
    with pytest.raises(ValueError, match=r"^run has no loss at keep=30$"):
        protocol_of(contestant_run(), "loss", None, 30.0)


def test_of_one_method_on_one_task_the_most_prompts_count() -> None:
    few, many, other = ranking("few", 6), ranking("many", 20), ranking("other", 30)
    longer = replace(other, tables=replace(other.tables, samples=other.tables.samples.assign(task="vt")))
    protocol = protocol_of(few, "recall", 10.0, None)
    entries = [each for run in (few, many, longer) for each in entries_of(run, protocol)]
    kept, said = best_of(entries)
    assert {each.run.name for each in kept} == {"many", "other"}
    assert len(said) == 6
    assert said[0].endswith("of few (6 prompts): many has it with the same settings on the same model and task with 20")
