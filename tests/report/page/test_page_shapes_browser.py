"""report.html of runs of unusual shape: no metric with values, other ranges, one layer, gaps, long names, letters that nobody sees."""

import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.report.page_browser import Opened, chromium
from tests.report.page_examples import HEURISTICS, LAYERS, PROMPTS, TOKENS, ranking_run, write_page
from tokenrank.records.visible_text import visible


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


def test_without_a_metric_the_tokens_have_their_rankings_all_the_same(browser: Any, tmp_path: Path) -> None:
    """As jaccard of a single layer: only its chance level is in the tables."""
    folder = ranking_run(tmp_path)
    tables = folder.tables()
    chance = tables.metrics[tables.metrics["heuristic"].isna()].assign(metric="jaccard")
    folder.write_tables(replace(tables, metrics=chance, summary=tables.summary.iloc[:0]))
    shown = Opened(browser, write_page(folder))
    page = shown.page
    assert page.evaluate("[METRIC, DATA.ranking.first]") == [None, None]
    assert "recall" not in page.locator("#intro").text_content()
    chosen = page.locator("[data-control=ranking]")
    assert chosen.input_value() == HEURISTICS[0]
    assert f"{HEURISTICS[0]} at layer {LAYERS[0]}, best 10 %" in page.locator("#status").text_content()
    chosen.select_option(HEURISTICS[1])
    shown.drawn()
    page.locator("#layer").press("ArrowRight")
    shown.drawn()
    assert f"{HEURISTICS[1]} at layer {LAYERS[1]}" in page.locator("#status").text_content()
    assert page.locator("#overview").is_hidden()
    shown.choose("#prompt=b&ranking=oracle&layer=5")
    assert "b, oracle at layer 5" in page.locator("#status").text_content()
    shown.close()


def test_a_ranking_without_values_can_be_chosen_on_the_tokens(browser: Any, tmp_path: Path) -> None:
    folder = ranking_run(tmp_path)
    tables = folder.tables()
    kept = {name: rows[rows["heuristic"] != "gemfilter"] for name, rows in (("metrics", tables.metrics), ("summary", tables.summary))}  # fmt: skip
    folder.write_tables(replace(tables, **kept))
    shown = Opened(browser, write_page(folder), "#prompt=b")
    page = shown.page
    page.locator("[data-control=ranking]").select_option("gemfilter")
    shown.drawn()
    assert f"{PROMPTS[1]}, gemfilter at layer" in page.locator("#status").text_content()
    assert page.locator("#unknown").is_hidden()
    page.locator("[data-control=ranking]").select_option("claa")
    shown.drawn()
    assert "claa at layer" in page.locator("#status").text_content()
    shown.close()


UNSEEN = [
    "a\u202eb", "\u2066", "\u200d", "\u2028", "\u034f", "\u2800", "\u3164", "\ufe0f", "\U000e0141", "\x1b[31m", "c\r", "\xad", "a\u200db",
    "\u0915\u094d\u200d\u0937", "\u0645\u06cc\u200c\u062e", "\u2764\ufe0f\u200d\U0001f525", "\u2764\ufe0f\ufe0f", "\t", "\n", " \u00e9", "\u05d0\u05d1", " 12", "\u05d2",
]  # fmt: skip


def test_letters_that_nobody_sees_are_shown_as_on_a_terminal(browser: Any, tmp_path: Path) -> None:
    folder = ranking_run(tmp_path)
    found = folder.levels("b")
    assert found is not None
    folder.write_levels("b", replace(found, texts=(*UNSEEN, *(f" t{place}" for place in range(len(UNSEEN), TOKENS)))))
    tables = folder.tables()
    hostile = "answer \u202e\u2067 backwards"
    folder.write_tables(replace(tables, samples=tables.samples.assign(answer=hostile, references=[[hostile]] * 3)))
    shown = Opened(browser, write_page(folder), "#prompt=b&ranking=claa&layer=0&k=40")
    page = shown.page
    assert shown.tokens("e.textContent")[: len(UNSEEN)] == [visible(text) for text in UNSEEN]
    for place, title in ((0, r'"a\u202eb"'), (2, r'"\u200d"'), (8, r'"\U000e0141"')):
        page.locator("#tokens > span").nth(place).hover()
        assert page.locator("#tip b").text_content() == title
    assert page.locator("#answer").text_content() == r"answer \u202e\u2067 backwards"
    every = page.evaluate("document.body.innerText")
    assert [
        each
        for each in every
        if unicodedata.category(each) in ("Cc", "Cf", "Zl", "Zp") and each not in "\n\t\u200c\u200d"
    ] == []
    passages = page.locator("#missed-list button").evaluate_all("items => items.map(item => item.textContent)")
    kept = [place for place, name in enumerate(shown.tokens("e.className")) if "missed" in name.split() and place < 9]
    assert kept
    assert all(any(visible(UNSEEN[place]) in each for each in passages) for place in kept)
    shown.close()


def test_tokens_from_the_right_stay_in_the_order_of_the_prompt(browser: Any, tmp_path: Path) -> None:
    """Hebrew, a number and Hebrew: without isolation the last of them stands first."""
    folder = ranking_run(tmp_path)
    found = folder.levels("b")
    assert found is not None
    folder.write_levels("b", replace(found, texts=(*UNSEEN[-3:], *(f" t{place}" for place in range(3, TOKENS)))))
    shown = Opened(browser, write_page(folder), "#prompt=b")
    left = shown.tokens("e.getBoundingClientRect().left")[:3]
    assert left == sorted(left)
    shown.close()
