"""The leaderboard's page: rows in numbers, what is listed below them, and texts that stay text."""

import re
from dataclasses import replace

import pytest

from tests.report.table_examples import contestant_run
from tests.report.table_examples import protocol_run as ranking
from tokenrank.report.tables.leaderboard import leaderboard
from tokenrank.report.tables.leaderboard_rows import entries_of, protocol_of

HOSTILE = "<script>window.hacked = 1</script>\"&'"


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


def test_a_column_of_which_no_method_has_a_number_is_left_out() -> None:
    run = ranking("a")
    rows = run.tables.summary
    run = replace(run, tables=replace(run.tables, summary=rows[rows["statistic"] != "std"]))
    protocol = protocol_of(run, "recall", 10.0, None)
    page = leaderboard(protocol, entries_of(run, protocol), [])
    assert "worst layer" in page
    assert "std over layers" not in page


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
