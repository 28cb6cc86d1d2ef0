"""One protocol for many runs: who is in, who is left out and why, and the rows in numbers."""

import re

import pytest

from tests.report.contestant_examples import accuracy_tables
from tests.report.table_examples import contestant_run, ranking_tables, table_run, with_tests
from tokenrank.report.leaderboard import best_of, entries_of, lacks, leaderboard, protocol_of
from tokenrank.report.table_runs import TableRun

PROVEN = {("claa", "gemfilter"): 0.01}
HOSTILE = "<script>window.hacked = 1</script>\"&'"


def ranking(name: str, prompts: int = 20, units: int = 0, **config: object) -> TableRun:
    settings: dict[str, object] = {"oracle": {"attention": {"kernel": 13}}, "universe": {"window": 8}}
    return TableRun(name, settings | config, ranking_tables(PROVEN, prompts), 10.0, units)


def values(page: str) -> list[list[str]]:
    """The sorted values of every row."""
    body = page[page.index("<tbody>\n") :]
    return [re.findall(r'data-value="([^"]*)"', row) for row in re.findall(r"<tr.*?</tr>", body)]


def test_rows_are_methods_best_first_with_the_numbers_of_the_tables() -> None:
    run = ranking("a")
    protocol = protocol_of(run, "recall", 10.0, None)
    rows = values(leaderboard(protocol, entries_of(run, protocol), []))
    assert [row[0] for row in rows] == ["oracle", "recency", "claa", "tova", "gemfilter", "random"]
    assert rows[2] == ["claa", "tiny", "niah", "20", "0.5", "0.4", "0.1", "0.5"]


def test_of_contestants_a_loss_is_ranked_upwards_and_ends_close_no_gap() -> None:
    run = contestant_run("a")
    protocol = protocol_of(run, "loss", None, None)
    assert protocol.label == "loss at keep rate 20 %"
    page = leaderboard(protocol, entries_of(run, protocol), [])
    rows = {row[0]: row for row in values(page)}
    assert list(rows)[:4] == ["full", "oracle@claa", "oracle", "claa"]
    assert rows["oracle"][5] == ""
    assert rows["claa"][4] == "0.4"
    assert float(rows["claa"][5]) == pytest.approx((0.40 - 1.50) / (0.33 - 1.50))
    assert 'data-first="ascending"><button type="button">loss' in page
    cheapest = page[page.index('data-value="speculative"') :]
    assert "<strong>" not in cheapest[: cheapest.index("</tr>")]  # costs are no results


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


def test_the_first_run_must_have_what_is_asked_for() -> None:
    with pytest.raises(ValueError, match=r"^a has no mass$"):
        protocol_of(ranking("a"), "mass", 10.0, None)
    with pytest.raises(ValueError, match=r"^a has no recall at k=7$"):
        protocol_of(ranking("a"), "recall", 7.0, None)
    with pytest.raises(ValueError, match=r"^run has no loss at keep=30$"):
        protocol_of(contestant_run(), "loss", None, 30.0)


def test_of_one_method_on_one_task_the_most_prompts_count() -> None:
    few, many, other = ranking("few", 6), ranking("many", 20), ranking("other", 30)
    longer = TableRun(
        "other",
        other.config,
        type(other.tables)(**(vars(other.tables) | {"samples": other.tables.samples.assign(task="vt")})),
        10.0,
    )
    protocol = protocol_of(few, "recall", 10.0, None)
    entries = [each for run in (few, many, longer) for each in entries_of(run, protocol)]
    kept, said = best_of(entries)
    assert {each.run.name for each in kept} == {"many", "other"}
    assert len(said) == 6
    assert said[0].endswith("of few (6 prompts): many has it on the same model and task with 20")


def test_what_is_left_out_and_unfinished_is_listed_and_escaped() -> None:
    run = ranking(HOSTILE, units=40)
    protocol = protocol_of(run, "recall", 10.0, None)
    page = leaderboard(protocol, entries_of(run, protocol), [f"{HOSTILE} deviates"])
    assert "<h2>Left out</h2>" in page
    assert "half a run: 20 of 40 units are done" in page
    assert page.count("<script>") == 1
    assert "&lt;script&gt;window.hacked" in page
    assert "<h2>" not in leaderboard(
        protocol_of(ranking("a"), "recall", 10.0, None), entries_of(ranking("a"), protocol), []
    )
