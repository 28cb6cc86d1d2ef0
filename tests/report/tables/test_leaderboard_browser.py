"""The leaderboard in a headless Chromium: sorted by click and by key, nothing complained about and nothing asked for."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.report.page_browser import chromium
from tests.report.table_examples import contestant_run
from tests.report.tables.test_leaderboard import HOSTILE
from tokenrank.report.tables.leaderboard import leaderboard
from tokenrank.report.tables.leaderboard_rows import entries_of, protocol_of


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """A page with a method whose name is a script; at the end it has complained about nothing and asked for itself alone."""
    run = contestant_run(HOSTILE)
    tables = run.tables
    summary, metrics = (
        rows.assign(heuristic=rows["heuristic"].replace({"snapkv": HOSTILE}))
        for rows in (tables.summary, tables.metrics)
    )
    run = replace(run, tables=type(tables)(metrics, summary, tables.samples, tables.runs))
    protocol = protocol_of(run, "accuracy", None, 20.0)
    file = tmp_path / "leaderboard.html"
    file.write_text(leaderboard(protocol, entries_of(run, protocol), [HOSTILE]), encoding="utf-8")
    context = browser.new_context()
    shown, complaints, asked = context.new_page(), list[str](), list[str]()
    shown.on("console", lambda message: complaints.append(message.text))
    shown.on("pageerror", lambda error: complaints.append(str(error)))
    shown.on("request", lambda request: asked.append(request.url))
    shown.goto(file.as_uri())
    yield shown
    assert shown.evaluate("window.hacked") is None
    context.close()
    assert complaints == []
    assert asked == [file.as_uri()]


def column(page: Any, place: int) -> list[str]:
    found: list[str] = page.evaluate(
        "place => [...document.querySelector('#board').tBodies[0].rows].map(row => row.cells[place].dataset.value)",
        place,
    )
    return found


def sorts(page: Any) -> list[str | None]:
    found: list[str | None] = page.evaluate(
        "[...document.querySelectorAll('#board thead th')].map(each => each.getAttribute('aria-sort'))"
    )
    return found


def test_a_click_sorts_numbers_best_first_and_again_the_other_way(page: Any) -> None:
    heading = page.locator("#board thead button", has_text="gap closed")
    heading.click()
    numbers = [float(each) for each in column(page, 5) if each]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == 4
    assert column(page, 5)[-1] == ""  # rows without a value are last
    assert sorts(page)[5] == "descending"
    heading.click()
    assert [float(each) for each in column(page, 5) if each] == sorted(numbers)
    assert column(page, 5)[-1] == ""
    assert sorts(page) == [None] * 5 + ["ascending"] + [None] * 3
    assert page.locator("#status").text_content() == "sorted by gap closed, ascending"


def test_keys_sort_as_clicks_do(page: Any) -> None:
    page.locator("#board thead button", has_text="method").focus()
    page.keyboard.press("Enter")
    names = column(page, 0)
    assert names == sorted(names, key=lambda name: (name[0].isalpha(), name))
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert sorts(page)[1] == "ascending"
    loss = page.locator("#board thead button", has_text="loss")
    loss.press("Enter")
    losses = [float(each) for each in column(page, 6)]
    assert losses == sorted(losses)  # the smallest loss is the best


def test_names_stay_text_and_scripts_of_others_do_not_run(page: Any) -> None:
    assert HOSTILE in column(page, 0)
    assert page.locator("main script").count() == 0
    assert page.locator("h2 + ul li").first.text_content() == HOSTILE


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_the_colour_scheme(page: Any, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(253, 252, 249)", "dark": "rgb(21, 23, 26)"}[scheme]
