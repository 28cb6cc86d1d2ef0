"""report.html of runs of unusual shape: no metric with values, other ranges, one layer, gaps, long names, letters that nobody sees."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.report.page_browser import Opened, chromium
from tests.report.page_examples import HEURISTICS, LAYERS, PROMPTS, ranking_run, write_page


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
