"""report.html of runs of unusual shape: no metric with values, other ranges, one layer, gaps, long names, letters that nobody sees."""

import math
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.report.page_browser import Opened, chromium
from tests.report.page_examples import HEURISTICS, LAYERS, PROMPTS, TOKENS, accuracy_run, ranking_run, write_page
from tests.report.ranking_examples import at_layer, of_prompt, of_prompts, ranked
from tests.report.run_folders import CONFIG, run_folder
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.visible_text import visible
from tokenrank.report.pictures.layer_values import layer_values


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
    folder.write_tables(
        replace(tables, samples=tables.samples.assign(answer=hostile, references=pd.Series([[hostile]] * 3)))
    )
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


def nats_run(path: Path, layers: Sequence[int] = (3,)) -> RunFolder:
    """Of drop, in nats a token: values of any size, intervals beyond them, no chance level; ``kept`` is below 0."""
    metrics, summary = [], []
    for metric, centre in (("drop", 3.0), ("kept", -2.0)):
        metrics += [at_layer(sample, None, None, metric, 10, math.nan) for sample in "abcde"]
        for name, off in (("claa", 0.0), ("gemfilter", 1.5)):
            for number, sample in enumerate("abcde"):
                values = [centre + off + number / 4 + layer / 7 for layer in layers]
                metrics += [
                    at_layer(sample, name, layer, metric, 10, each) for layer, each in zip(layers, values, strict=True)
                ]
                summary += [of_prompt(sample, name, metric, each, 10, values[0]) for each in ("mean", "worst")]
            mean = centre + off + 0.5
            summary += [
                of_prompts(name, metric, each, 10, mean, low=mean - 2, high=mean + 2.5, prompts=5)
                for each in ("mean", "worst")
            ]
    samples = [{"id": each, "task": "niah", "status": "ok", "tokens": 9} for each in "abcde"]
    return run_folder(path, ranked(metrics, summary, samples), f"{CONFIG}evaluation:\n  compare:\n    metric: drop\n")


@pytest.mark.parametrize("metric", ["drop", "kept"])
def test_values_in_nats_have_the_scale_of_the_pictures(browser: Any, tmp_path: Path, metric: str) -> None:
    folder = nats_run(tmp_path, layers=(3, 4, 5))
    drawn = layer_values(folder.tables(), metric, 10.0).range
    shown = Opened(browser, write_page(folder), f"#metric={metric}")
    page = shown.page
    assert page.evaluate("METRIC.range") == pytest.approx(drawn)
    claa = {"drop": 3.5, "kept": -1.5}[metric]
    intervals = [(max(drawn[0], mean - 2), min(drawn[1], mean + 2.5)) for mean in (claa + 1.5, claa)]
    assert intervals[1] != (claa - 2, claa + 2.5)  # cut at an end of the scale
    assert "Ranges that go beyond the axis are cut." in page.locator("figure:has(.chart) figcaption").text_content()
    ends = page.evaluate(
        "[...document.querySelectorAll('.forest')].map(e => [e, ...e.children].map(c => c.getBoundingClientRect()).map(b => [b.left, b.right]))"
    )
    for (left, right), *inside in ends:
        assert all(left - 5 < start <= stop < right + 5 for start, stop in inside)
    widths = page.evaluate(
        "[...document.querySelectorAll('.forest')].map(e => e.children[1].getBoundingClientRect().width / e.getBoundingClientRect().width)"
    )
    assert widths == pytest.approx([(high - low) / (drawn[1] - drawn[0]) for low, high in intervals], abs=0.02)
    marks = page.evaluate("[...document.querySelectorAll('.chart .tick')].map(e => Number(e.textContent))")
    assert 3 <= len(marks) <= 7
    assert all(drawn[0] <= mark <= drawn[1] for mark in marks)
    heights = page.evaluate(
        "[...document.querySelectorAll('.chart polygon')].flatMap(e => e.getAttribute('points').split(' ').map(p => Number(p.split(',')[1])))"
    )
    bottom, top = page.evaluate("METRIC.range.map(document.querySelector('.chart').up)")
    assert top - 0.1 <= min(heights) <= max(heights) <= bottom + 0.1
    shares = page.evaluate(
        "[...document.querySelectorAll('#heat td')].map(e => [Number(e.dataset.value), parseFloat(e.style.getPropertyValue('--v'))])"
    )
    low, high = layer_values(folder.tables(), metric, 10.0).range_of_means
    assert (low, high) != drawn
    for value, share in shares:
        assert share == pytest.approx(100 * (value - low) / (high - low), abs=0.6)
    assert {round(share) for _, share in shares} >= {0, 100}
    shown.close()


@pytest.mark.parametrize(
    ("ends", "marks"),
    [
        ((0, 1), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]), ((-0.4, 1), ["-0.25", "0.00", "0.25", "0.50", "0.75", "1.00"]),
        ((2.1, 152), ["25", "50", "75", "100", "125", "150"]), ((-0.0031, -0.0007), ["-0.0030", "-0.0025", "-0.0020", "-0.0015", "-0.0010"]),
        ((100, 112), ["100", "102", "104", "106", "108", "110", "112"]),
    ],
)  # fmt: skip
def test_marks_of_an_axis_are_round_whatever_its_range(
    browser: Any, tmp_path: Path, ends: tuple[float, float], marks: list[str]
) -> None:
    shown = Opened(browser, write_page(nats_run(tmp_path)))
    assert shown.page.evaluate("ends => ticks(ends)", ends) == marks
    shown.close()


def test_a_layer_alone_is_a_dot_and_the_caption_is_as_wide_as_the_page(browser: Any, tmp_path: Path) -> None:
    shown = Opened(browser, write_page(nats_run(tmp_path)))
    page = shown.page
    assert page.locator(".chart .dot").count() == 2
    assert page.locator(".chart polyline").count() == 0
    assert page.evaluate(
        "[...document.querySelectorAll('.chart .band')].every(e => e.getBoundingClientRect().width > 4)"
    )
    captions = page.evaluate(
        "[...document.querySelectorAll('figcaption')].filter(e => e.textContent.length > 80).map(e => e.getBoundingClientRect().width)"
    )
    assert len(captions) >= 3
    assert min(captions) > 600
    assert page.evaluate(
        "document.getElementById(document.getElementById('heat').getAttribute('aria-labelledby')).textContent"
    ).startswith("drop@10: heuristic")
    shown.close()


def test_a_curve_has_gaps_where_it_has_no_values(browser: Any, tmp_path: Path) -> None:
    shown = Opened(browser, write_page(nats_run(tmp_path, layers=range(7))))
    page = shown.page
    page.evaluate(
        "() => { const each = METRIC.heuristics.claa; for (const part of ['mean', 'low', 'high']) { each[part][2] = null; each[part][4] = null; } drawCurves(document.querySelector('.chart'), METRIC, VIEW); }"
    )
    lines = page.evaluate(
        "[...document.querySelectorAll('.chart g')].map(g => [g.querySelector('.name').textContent, g.querySelectorAll('polyline').length, g.querySelectorAll('.dot').length, g.querySelectorAll('.band').length])"
    )
    assert sorted(lines) == [["claa", 2, 1, 3], ["gemfilter", 1, 0, 1]]
    shown.close()


LONG = "a_prompt_whose_name_is_the_path_of_its_file_" * 4
METHOD = "claa_with_rows_by_maximum_and_columns_by_four_and_kernel_of_five_and_window_of_eight"


def renamed(folder: RunFolder, names: Mapping[str, str]) -> RunFolder:
    """The run with other names of prompts and methods, in tables and levels."""
    tables = folder.tables()
    parts = {}
    for part in ("metrics", "summary", "samples", "runs"):
        rows = getattr(tables, part)
        for column in {"id", "sample", "heuristic", "engine"} & set(rows.columns):
            rows = rows.assign(**{column: rows[column].astype(object).replace(names).astype(rows[column].dtype)})
        parts[part] = rows
    folder.write_tables(replace(tables, **parts))
    for prompt in PROMPTS:
        found = folder.levels(prompt)
        assert found is not None
        rankings = {names.get(name, name): rows for name, rows in found.rankings.items()}
        folder.levels_file(prompt).unlink()
        folder.write_levels(names.get(prompt, prompt), replace(found, rankings=rankings))
    return folder


@pytest.mark.parametrize("width", [1100, 400])
@pytest.mark.parametrize("make", [ranking_run, accuracy_run])
def test_long_names_do_not_widen_the_page(
    browser: Any, tmp_path: Path, make: Callable[[Path], RunFolder], width: int
) -> None:
    folder = renamed(
        make(tmp_path), dict.fromkeys(PROMPTS[:1], LONG) | {"claa": METHOD, "oracle@claa": f"oracle@{METHOD}"}
    )
    shown = Opened(browser, write_page(folder), f"#prompt={LONG}&rows=all", width=width)
    page = shown.page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert METHOD in page.evaluate("document.body.textContent")
    inside = "[...document.querySelectorAll('.chart .name, .map .side')].map(e => e.getBoundingClientRect()).every(b => b.left >= 0 && b.right <= innerWidth)"
    assert page.evaluate(inside)
    titles = page.evaluate("[...document.querySelectorAll('.chart .name title')].map(e => e.textContent)")
    if make is ranking_run:
        assert METHOD in titles
        first = "document.querySelector('#heat tbody th').getBoundingClientRect().width"
        assert page.evaluate(first) < width / 2
    shown.close()
