"""report.html as people see it: colours, tooltips, keys, links, and numbers that are those of the tables."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.report import layer_examples
from tests.report.page_browser import Opened, chromium
from tests.report.page_examples import (
    CONTESTANTS,
    EVIDENCE,
    HEURISTICS,
    HOSTILE,
    KEEP,
    LAYERS,
    PROMPTS,
    TOKENS,
    WINDOW,
    K,
    ablation_of,
    accuracy_run,
    best,
    kept_of,
    levels_of,
    measured,
    ranking_run,
    recall,
    scores_of,
    texts_of,
    two_truths_run,
    write_page,
)
from tests.report.run_folders import CONFIG, run_folder
from tokenrank.metrics.intervals import mean_intervals
from tokenrank.records.schema import SAMPLES, table

Open = Callable[..., Opened]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages of a ranking, an accuracy, and rankings without levels and without texts."""
    made = tmp_path_factory.mktemp("pages")
    folders = {
        "ranking": ranking_run(made / "r"),
        "accuracy": accuracy_run(made / "a"),
        "no levels": ranking_run(made / "l", levels=False),
        "no texts": ranking_run(made / "t", texts=False),
        "ablation": two_truths_run(made / "o", "ablation"),
    }
    return {name: write_page(folder) for name, folder in folders.items()}


@pytest.fixture
def opened(browser: Any, pages: dict[str, Path]) -> Iterator[Open]:
    """Opens pages; at the end none may have complained or asked for anything."""
    all_opened: list[Opened] = []

    def open_page(name: str = "ranking", *arguments: Any, **more: Any) -> Opened:
        all_opened.append(Opened(browser, pages[name], *arguments, **more))
        return all_opened[-1]

    yield open_page
    for each in all_opened:
        each.close()


def view(**parts: Any) -> str:
    return "#" + "&".join(f"{name}={str(value).replace(' ', '+')}" for name, value in parts.items())


def test_the_slider_colours_the_tokens_as_the_levels_say(opened: Open) -> None:
    shown = opened("ranking", view(prompt="b", ranking="gemfilter", layer=0, mode="ranking"))
    expected = levels_of(scores_of(1).rankings["gemfilter"])
    colours: dict[int, set[str]] = {}
    slider = shown.page.locator("#layer")
    slider.focus()
    for row in range(len(LAYERS)):
        for level, colour in zip(expected[row], shown.tokens("s.backgroundColor"), strict=True):
            colours.setdefault(int(level), set()).add(colour)
        slider.press("ArrowRight")
        shown.drawn()
    assert sorted(colours) == [0, 1, 2, 3, 4, 255]
    assert all(len(each) == 1 for each in colours.values())
    assert len(set.union(*(colours[level] for level in range(5)))) == 5
    assert f"layer={LAYERS[-1]}" in shown.page.url


def test_the_truth_has_a_colour_a_level_and_another_tone(opened: Open) -> None:
    shown = opened("ranking", view(prompt="b", mode="truth"))
    colours = shown.tokens("s.backgroundColor")
    pairs = set(zip(levels_of(scores_of(1).truth[None])[0].tolist(), colours, strict=True))
    assert len({colour for level, colour in pairs if level != 255}) == len({level for level, _ in pairs} - {255}) == 5
    shown.choose(view(prompt="b", mode="ranking", ranking="oracle", layer=0))
    assert set(shown.tokens("s.backgroundColor")) & set(colours) == {"rgba(0, 0, 0, 0)"}


@pytest.mark.parametrize(("layer", "k"), [(0, 10), (5, 10), (2, 40)])
def test_the_difference_tells_found_missed_and_wrongly_kept(opened: Open, layer: int, k: int) -> None:
    shown = opened("ranking", view(prompt="c", ranking="claa", layer=layer, mode="difference", k=k))
    scores, row = scores_of(2), LAYERS.index(layer)
    truth, kept = best(scores.truth, k), best(scores.rankings["claa"][row], k)
    said = shown.tokens("[s.backgroundColor !== 'rgba(0, 0, 0, 0)', s.textDecorationLine, s.outlineStyle]")
    for token in range(TOKENS - WINDOW):
        expected = {
            (True, True): [True, "none", "none"],
            (True, False): [True, "underline", "none"],
            (False, True): [False, "line-through", "dashed"],
            (False, False): [False, "none", "none"],
        }[token in truth, token in kept]
        assert said[token] == expected, token
    value = recall(scores, "claa", row, k)
    status = shown.page.locator("#status").text_content()
    assert f"found {len(truth & kept)} of the {len(truth)} most important tokens (recall {value:.3f})" in status
    assert f"missed {len(truth - kept)}, wrongly kept {len(kept - truth)}" in status
    assert f"Of the evidence\u2019s 5 tokens {len(kept & set(range(20, 25)))} are kept" in status


def test_tokens_are_held_against_the_truth_that_is_shown_and_it_is_named(opened: Open) -> None:
    row, k = 2, 10.0
    shown = opened("ablation", view(prompt="b", ranking="claa", layer=LAYERS[row], mode="difference", k=10))
    truth, kept = best(ablation_of(1), k), best(scores_of(1).rankings["claa"][row], k)
    status = shown.page.locator("#status").text_content()
    assert f"found {len(truth & kept)} of the {len(truth)} most important tokens by ablation" in status
    assert f"missed {len(truth - kept)}, wrongly kept {len(kept - truth)}" in status
    underlined = shown.tokens("s.textDecorationLine.includes('underline')")
    assert {token for token, line in enumerate(underlined) if line} == truth - kept
    token = min(truth)
    shown.page.locator("#tokens > span").nth(token).hover()
    assert "truth (ablation): among the best" in shown.page.locator("#tip").text_content()
    assert shown.page.locator("fieldset").text_content().startswith("colour bytruth (ablation)")
    assert "(attention, ablation) this page is against ablation" in shown.page.locator("#intro").text_content()


def test_every_span_of_the_evidence_is_marked(opened: Open) -> None:
    row, k = 2, 40.0
    shown = opened("ablation", view(prompt="b", ranking="claa", layer=LAYERS[row], mode="difference", k=40))
    inside = {token for start, stop in EVIDENCE for token in range(start, stop)}
    marked = shown.tokens("e.classList.contains('evidence') && s.boxShadow !== 'none'")
    assert {token for token, mark in enumerate(marked) if mark} == inside
    assert shown.page.locator(".map .part i").count() == len(EVIDENCE)
    truth, kept = best(ablation_of(1), k), best(scores_of(1).rankings["claa"][row], k)
    status = shown.page.locator("#status").text_content()
    assert f"Of the evidence\u2019s 8 tokens in 2 spans {len(kept & inside)} are kept" in status
    passages = shown.page.locator("#missed-list li").evaluate_all("items => items.map(item => item.textContent)")
    missed = sorted(truth - kept)
    runs = [[token] for token in missed if token - 1 not in truth - kept]
    for run in runs:
        while run[-1] + 1 in truth - kept:
            run.append(run[-1] + 1)
    assert [" evidence" in each for each in passages] == [bool(inside & set(run)) for run in runs]
    assert any(inside & set(run) for run in runs)


def test_wrongly_kept_passages_are_listed_and_a_click_goes_there(opened: Open) -> None:
    shown = opened("ranking", view(prompt="b", ranking="gemfilter", layer=2, mode="difference", k=20))
    scores, row = scores_of(1), LAYERS.index(2)
    wrong = best(scores.rankings["gemfilter"][row], 20.0) - best(scores.truth, 20.0)
    starts = sorted(token for token in wrong if token - 1 not in wrong)
    details = shown.page.locator("details:has(#wrong-list)")
    assert details.locator("summary").text_content() == f"Wrongly kept passages: {len(starts)}"
    details.locator("summary").click()
    details.locator("button").last.click()
    classes = shown.tokens("e.className")
    assert [token for token, each in enumerate(classes) if "current" in each.split()] == [starts[-1]]


def test_the_tooltip_shows_the_values_of_a_token(opened: Open) -> None:
    shown = opened("ranking", view(prompt="b", ranking="gemfilter", layer=2, mode="difference", k=10))
    scores, row, token = scores_of(1), LAYERS.index(2), 30
    shown.page.locator("#tokens > span").nth(token).hover()
    said = shown.page.locator("#tip").text_content()
    ranked = scores.truth[: TOKENS - WINDOW]
    share = round(100 * (ranked < ranked[token]).sum() / (len(ranked) - 1))
    truth, ranking = (
        int(levels_of(rows)[0, token]) for rows in (scores.truth[None], scores.rankings["gemfilter"][row : row + 1])
    )
    assert '" t30"' in said
    assert f"token {token + 1} of {TOKENS}" in said
    assert f"more important than {share} % of the tokens" in said
    words = ["not among the best 40", *(f"among the best {each}\u00a0" for each in (40, 20, 10, 5))]
    assert f"truth: {words[truth]}" in said
    assert f"gemfilter, layer 2: {words[ranking]}" in said
    verdicts = {(True, True): "found", (True, False): "missed", (False, True): "wrongly kept"}
    both = token in best(scores.truth, 10), token in best(scores.rankings["gemfilter"][row], 10)
    assert f"at 10 %: {verdicts.get(both, 'neither')}" in said


def test_the_deepest_fall_is_a_click_from_its_sentence(opened: Open) -> None:
    shown = opened("ranking")
    link = shown.page.locator("#sentences a").first
    said = shown.page.locator("#sentences").text_content()
    [(name, layer), *_] = re.findall(r"deepest fall .*? is that of (\w+) at layer (\d+)", said)
    assert link.text_content().startswith(f"See {name} at layer {layer} on the prompt ")
    link.click()
    shown.drawn()
    assert f"ranking={name}&layer={layer}&mode=difference" in shown.page.url


@pytest.mark.parametrize("kind", ["ranking", "accuracy"])
def test_words_of_engines_are_explained_where_there_are_engines(opened: Open, kind: str) -> None:
    page = opened(kind).page
    page.locator("#words summary").click()
    words = [each.text_content() for each in page.locator("#words dt").all() if each.is_visible()]
    assert "needle, evidence" in words
    assert ("engine, keep rate, full prefill" in words) == (kind == "accuracy")


def test_n_goes_to_missed_passages_from_anywhere_and_the_wheel_hides_the_tooltip(opened: Open) -> None:
    page = opened("ranking", view(prompt="b", ranking="gemfilter", k=20)).page
    assert page.evaluate("passagesOf(judge(SHOWN.prompt, VIEW)).length") > 1
    page.locator("h1").click()
    page.keyboard.press("n")
    assert page.evaluate("document.activeElement.id") == "tokens"
    first = page.locator("#tokens .current").text_content()
    assert page.locator("#tip b").text_content()
    page.locator("#layer").focus()
    page.keyboard.press("n")
    assert page.locator("#tokens .current").text_content() != first
    page.mouse.wheel(0, 50)
    page.wait_for_timeout(50)
    assert not page.locator("#tip").is_visible()


def test_a_cell_of_the_heat_map_keeps_the_keys_after_a_click_and_enter_goes_to_the_tokens(opened: Open) -> None:
    shown = opened("ranking")
    page = shown.page
    cell = page.locator("#heat td").nth(1)
    assert cell.get_attribute("title").endswith(f": {cell.get_attribute('data-value')}")
    cell.click()
    shown.drawn()
    page.keyboard.press("ArrowRight")
    shown.drawn()
    assert page.locator("#heat td.here").get_attribute("data-layer") == str(LAYERS[2])
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.textContent") == "Token by token"


def test_the_page_opens_on_a_method_that_depends_on_the_layer(opened: Open) -> None:
    shown = opened("ranking")
    flat = shown.page.evaluate(
        "Object.entries(METRIC.heuristics).filter(([, each]) => each.flat).map(([name]) => name)"
    )
    assert "oracle" in flat
    assert shown.page.evaluate("VIEW.ranking") not in flat


def test_the_sentences_say_what_they_are_about_when_another_metric_is_chosen(opened: Open) -> None:
    shown = opened("ranking")
    assert "importance" in shown.page.locator("#intro").text_content()
    assert shown.page.locator("#about-what").is_hidden()
    shown.choose(view(k=20))
    assert "first recall@10" in shown.page.locator("#about-what").text_content()
    assert "recall@20, chosen below" in shown.page.locator("#about-what").text_content()


def test_a_method_that_is_the_same_at_all_layers_has_no_worst_one(opened: Open) -> None:
    shown = opened("ranking")
    rows = {row[0]: row for row in shown.table("#methods")}
    assert rows["oracle"][5] == "same at all layers"
    assert rows["claa"][5].startswith("layer ")
    names = [each.get_attribute("aria-label") for each in shown.page.locator("#methods a").all()]
    assert len(set(names)) == len(HEURISTICS)
    assert "of each method alone" in shown.page.locator("figure:has(#methods) figcaption").text_content()


def test_missed_passages_are_listed_and_keys_go_to_them(opened: Open) -> None:
    shown = opened("ranking", view(prompt="c", ranking="claa", layer=0, mode="difference", k=20))
    missed = sorted(best(scores_of(2).truth, 20) - best(scores_of(2).rankings["claa"][0], 20))
    starts = [token for token in missed if token - 1 not in missed]
    page = shown.page
    assert page.locator("#missed-list li").count() == len(starts)
    page.locator("#tokens").focus()
    current = "[...document.querySelectorAll('#tokens > span')].findIndex(e => e.classList.contains('current'))"
    found = [(page.keyboard.press("n"), page.evaluate(current))[1] for _ in starts]
    assert found == starts
    page.keyboard.press("p")
    assert page.evaluate(current) == starts[-2]
    for key, token in (("End", TOKENS - 1), ("PageUp", TOKENS - 51), ("Home", 0)):
        page.keyboard.press(key)
        assert page.evaluate(current) == token
    page.locator("#missed-before").click()
    assert page.evaluate(current) == starts[-1]
    assert page.evaluate("document.activeElement.id") == "tokens"
    outside = [token for token in missed if not 10 <= token < 56]
    styles = shown.tokens("s.textDecorationStyle")
    assert {token for token in missed if styles[token] == "wavy"} == set(outside)


def test_a_tap_shows_the_values_of_a_token(opened: Open) -> None:
    page = opened("ranking", view(prompt="b")).page
    page.locator("#tokens > span").nth(30).dispatch_event("click")
    assert "token 31 of" in page.locator("#tip").text_content()


def test_names_of_methods_stay_when_a_table_scrolls(opened: Open) -> None:
    page = opened("ranking", width=400).page
    name = "document.querySelector('#methods tbody th').getBoundingClientRect().left"
    before = page.evaluate(name)
    page.evaluate("document.querySelector('#methods').parentElement.scrollLeft = 200")
    assert page.evaluate("document.querySelector('#methods').parentElement.scrollLeft") > 100
    assert page.evaluate(name) == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_digits_of_the_heat_map_can_be_read(opened: Open, scheme: str) -> None:
    """Contrast as WCAG counts it, at least 4.5 at every share of the colour."""
    page = opened("ranking", scheme=scheme).page
    found = page.evaluate("""() => {
      const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
      const light = (colour) => {
        pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
      };
      const place = document.querySelector("#heat tbody tr");
      return Array.from({ length: 101 }, (_, share) => {
        const cell = heatCell(share / 100, [0, 1], { name: "x", layer: 0 });
        place.append(cell);
        const style = getComputedStyle(cell);
        const [a, b] = [light(style.color), light(style.backgroundColor)].sort();
        cell.remove();
        return Math.max(a / b, b / a);
      });
    }""")
    assert min(found) >= 4.5


def test_a_link_to_what_the_page_lacks_says_so(opened: Open) -> None:
    shown = opened("ranking", view(prompt="nobody", ranking="claa", layer=77, k=33))
    said = shown.page.locator("#unknown").text_content()
    assert "prompt nobody" in said
    assert "layer 77" in said
    assert "k 33" in said
    shown.choose(view(prompt="b", ranking="claa", layer=1))
    assert shown.page.locator("#unknown").is_hidden()
    shown.page.wait_for_timeout(1000)  # it scrolls
    assert -60 < shown.page.evaluate("document.getElementById('prompt').getBoundingClientRect().top") < 450


def test_texts_of_prompts_stay_text(opened: Open) -> None:
    shown = opened("ranking", view(prompt="b"))
    texts = [text.replace("\u2028", r"\u2028") for text in texts_of()]
    well_formed = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts]
    assert shown.tokens("e.textContent.toWellFormed()") == well_formed
    assert shown.page.evaluate("window.hacked") is None
    assert shown.page.locator("main script, main img").count() == 0
    assert shown.page.locator("#answer").text_content() == f"answer {HOSTILE[0]}"
    assert "nl" in shown.tokens("e.className")[4].split()
    assert "empty" in shown.tokens("e.className")[5].split()


def test_inline_scripts_that_are_not_the_pages_own_do_not_run(opened: Open) -> None:
    shown = opened()
    shown.page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.hacked = 2'}))"
    )
    assert shown.page.evaluate("window.hacked") is None
    assert shown.complaints
    assert "Content Security Policy" in shown.complaints.pop()


def test_a_link_restores_a_view_and_back_goes_back(opened: Open) -> None:
    shown = opened("ranking", view(prompt="c", ranking="gemfilter", layer=5, mode="truth", k=20))
    page = shown.page
    assert page.locator("[data-control=prompt]").input_value() == "c"
    assert page.locator("[data-control=ranking]").input_value() == "gemfilter"
    assert page.locator("#layer").get_attribute("aria-valuetext") == "layer 5"
    assert page.locator("input[value=truth]").is_checked()
    assert page.locator("[data-control=k]").input_value() == "20"
    page.locator("[data-control=prompt]").select_option("b")
    shown.drawn()
    assert "prompt=b" in page.url
    page.go_back()
    shown.drawn()
    assert page.locator("[data-control=prompt]").input_value() == "c"


def test_the_worst_is_a_click_away(opened: Open) -> None:
    shown = opened("ranking")
    assert sorted(row[0] for row in shown.table("#worst-rows")) == ["claa", "gemfilter"]
    shown.page.locator("#worst > button").click()
    shown.drawn()
    assert "rows=all" in shown.page.url
    rows = shown.table("#worst-rows")
    values = {
        (name, str(layer), prompt): recall(scores_of(n), name, row, 10)
        for name in HEURISTICS if name != "oracle"
        for row, layer in enumerate(LAYERS)
        for n, prompt in enumerate(PROMPTS)
    }  # fmt: skip
    assert [float(row[3]) for row in rows] == [round(value, 3) for value in sorted(values.values())[: len(rows)]]
    assert all(row[3] == f"{values[row[0], row[1], row[2]]:.3f}" for row in rows)
    shown.page.locator("#worst-rows a").first.click()
    shown.drawn()
    name, layer, prompt = rows[0][:3]
    assert shown.page.locator("#status").text_content().startswith(f"{prompt}, {name} at layer {layer}, best 10 %")
    shown.page.wait_for_timeout(1000)  # it scrolls
    assert -60 < shown.page.evaluate("document.getElementById('prompt').getBoundingClientRect().top") < 450
    assert shown.page.evaluate("document.activeElement.textContent") == "Token by token"


def test_a_prompt_without_hash_shows_the_best_method_at_its_worst_layer(opened: Open) -> None:
    status = opened("ranking").page.locator("#status").text_content()
    means = {
        name: np.array([[recall(scores_of(n), name, row, 10) for row in range(4)] for n in range(3)]).mean(axis=0)
        for name in ("claa", "gemfilter")
    }
    name = max(means, key=lambda each: float(means[each].mean()))
    assert f"{name} at layer {LAYERS[int(means[name].argmin())]}" in status


@pytest.fixture(scope="module")
def windowed_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a model with two windowed layers, spearman declared; gemfilter has no value at layer 0."""
    tables = layer_examples.ranking(["claa", "gemfilter", "oracle", "random"], windowed=[3, 4])
    rows = tables.metrics
    lost = (rows["heuristic"] == "gemfilter") & (rows["layer"] == 0).fillna(False)
    samples = table([{"id": name, "task": "niah", "status": "ok"} for name in layer_examples.SAMPLES], SAMPLES)
    found = replace(tables, metrics=rows.assign(value=rows["value"].mask(lost)), samples=samples)
    config = f"{CONFIG}evaluation:\n  compare:\n    metric: spearman\n"
    return write_page(run_folder(tmp_path_factory.mktemp("windowed"), found, config))


def test_it_opens_on_the_declared_metric_at_the_worst_layer_that_counts(browser: Any, windowed_page: Path) -> None:
    shown = Opened(browser, windowed_page)
    page = shown.page
    assert page.evaluate("[VIEW.metric, METRIC.key, VIEW.ranking, VIEW.layer]") == ["spearman", "spearman", "claa", 0]
    assert page.locator("#about-what").is_hidden()
    shown.choose(view(metric="recall"))
    means = page.evaluate("METRIC.heuristics.claa.mean")
    assert means.index(min(means)) == 4  # a windowed layer
    assert page.evaluate("VIEW.layer") == 2
    ring = "[...document.querySelectorAll('.chart .low')].map(e => [Number(e.getAttribute('cx')), e.parentNode.querySelector('.name').textContent])"
    across = page.evaluate("document.querySelector('.chart').across(2)")
    assert [place for place, name in page.evaluate(ring) if name == "claa"] == [pytest.approx(across)]
    assert {row[0]: row[5] for row in shown.table("#methods")}["claa"].startswith("layer 2 ")
    assert page.evaluate("[...document.querySelectorAll('#heat .worst')].map(e => [e.dataset.name, e.dataset.layer])")[0] == ["claa", "2"]  # fmt: skip
    assert "left out of means over layers and of worst layers" in page.locator("figcaption").first.text_content()
    assert "over the layers without a sliding window" in page.locator("figure:has(#methods) figcaption").text_content()
    shown.close()


def test_bands_are_the_intervals_of_the_tables_and_the_chosen_method_has_its_spread(
    browser: Any, windowed_page: Path
) -> None:
    shown = Opened(browser, windowed_page, view(metric="recall", ranking="claa"))
    page = shown.page
    values = layer_examples.cells(layer_examples.ranking(["claa", "random"]), "recall", 10.0)["claa"]
    low, high = mean_intervals(values.T)
    band = "kind => { const box = document.querySelector('.chart'); return document.querySelector('.chart .chosen ' + kind).getAttribute('points').split(' ').map(p => p.split(',').map(Number)) }"  # fmt: skip
    up = "values => values.map(document.querySelector('.chart').up)"
    for kind, ends in ((".band", (low, high)), (".spread", np.percentile(values, [10, 90], axis=1))):
        wanted = page.evaluate(up, [*ends[1].tolist(), *ends[0].tolist()[::-1]])
        assert [point[1] for point in page.evaluate(band, kind)] == pytest.approx(wanted, abs=0.06)
    assert page.locator(".chart .spread").count() == 1
    caption = page.locator("figcaption").first.text_content()
    assert "Bands: 95 % intervals of the means over prompts." in caption
    assert page.locator(".chart .band").count() == 2  # of the methods, not of the control and the bound
    assert "middle 80 % of the prompts" in caption
    page.evaluate(
        "() => { for (const n of 'abc') METRIC.heuristics[n] = METRIC.heuristics.gemfilter; drawCurves(document.querySelector('.chart'), METRIC, VIEW); }"
    )
    assert page.locator(".chart .band").count() == 1  # of many methods the chosen one's alone
    hover(page, 1, values[1].mean())
    assert f"claa {values[1].mean():.3f}  [{low[1]:.3f}, {high[1]:.3f}]" in page.locator("#tip").text_content()
    shown.close()


def hover(page: Any, layer: int, value: float, *, click: bool = False) -> None:
    """Moves to a place of the curves."""
    page.locator(".chart").scroll_into_view_if_needed()
    x, y = page.evaluate("""([layer, value]) => {
      const box = document.querySelector('.chart'), frame = box.getBoundingClientRect();
      return [frame.left + box.across(layer), frame.top + box.up(value)];
    }""", [layer, value])  # fmt: skip
    page.mouse.move(x, y)
    if click:
        page.mouse.click(x, y)


def test_a_mean_that_is_missing_is_not_chosen(browser: Any, windowed_page: Path) -> None:
    """As a number it would lie at 0, nearer than random's 0.1."""
    shown = Opened(browser, windowed_page, view(metric="recall", ranking="oracle", layer=2))
    page = shown.page
    hover(page, 0, 0.0, click=True)
    shown.drawn()
    assert page.evaluate("[VIEW.ranking, VIEW.layer]") == ["random", 0]
    assert page.locator("#tip").text_content().endswith("gemfilter \u2013")
    hover(page, 1, page.evaluate("METRIC.heuristics.gemfilter.mean[1]"), click=True)  # the control
    shown.drawn()
    assert page.evaluate("[VIEW.ranking, VIEW.layer]") == ["gemfilter", 1]
    shown.close()


def test_keys_move_layers_and_tokens(opened: Open) -> None:
    shown = opened("ranking", view(prompt="b", ranking="claa", layer=1))
    page = shown.page
    page.locator(".chart").focus()
    page.keyboard.press("ArrowRight")
    shown.drawn()
    assert page.locator("#layer").get_attribute("aria-valuetext") == "layer 2"
    page.locator("#heat .here").focus()
    page.keyboard.press("ArrowLeft")
    shown.drawn()
    assert page.evaluate("document.activeElement.dataset.layer") == "1"
    page.locator("#tokens").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.locator("#tokens .current").text_content() == HOSTILE[1]
    assert "token 2 of" in page.locator("#tip").text_content()
    assert "token 2 of" in page.locator("#status").text_content()
    page.keyboard.press("Escape")
    assert page.locator("#tip").is_hidden()


def test_the_tab_key_reaches_every_control_in_the_order_of_the_page(opened: Open) -> None:
    shown = opened("ranking")
    reached = []
    for _ in range(60):
        shown.page.keyboard.press("Tab")
        reached.append(
            shown.page.evaluate(
                "document.activeElement.dataset.control || document.activeElement.id || document.activeElement.className.baseVal || ''"
            )
        )
    wanted = ["theme", "chart", "prompt", "ranking", "layer", "by-difference", "k", "tokens"]
    assert [name for name in reached if name in wanted][: len(wanted)] == wanted


def test_light_dark_and_the_toggle(opened: Open) -> None:
    light, dark = (opened("ranking", scheme=scheme).page for scheme in ("light", "dark"))
    shade = "getComputedStyle(document.body).backgroundColor"
    colours = [page.evaluate(shade) for page in (light, dark)]
    assert colours[0] != colours[1]
    light.locator("#theme").click()
    assert light.evaluate(shade) == colours[1]
    light.reload()
    light.wait_for_timeout(500)
    assert light.evaluate(shade) == colours[1]


@pytest.mark.parametrize("name", ["ranking", "accuracy"])
def test_nothing_is_wider_than_a_narrow_screen(opened: Open, name: str) -> None:
    assert opened(name, width=400).page.evaluate("document.documentElement.scrollWidth") == 400


def test_numbers_of_a_ranking_are_those_of_the_tables(opened: Open) -> None:
    shown = opened("ranking")
    for k in K:
        shown.choose(view(k=f"{k:g}"))
        rows = {row[0]: row for row in shown.table("#methods")}
        cells = shown.page.evaluate(
            "[...document.querySelectorAll('#heat td')].map(e => [e.dataset.name, e.dataset.layer, e.dataset.value])"
        )
        found = {(name, int(layer)): value for name, layer, value in cells}
        for name in HEURISTICS:
            table = np.array([[recall(scores_of(n), name, row, k) for row in range(4)] for n in range(3)])
            mean, worst = table.mean(), table.min(axis=1).mean()
            ends = [f"{value:.3f} [{value - 0.0123:.3f}, {value + 0.0321:.3f}]" for value in (mean, worst)]
            lowest = int(table.mean(axis=0).argmin())
            flat = len({f"{value:.3f}" for value in table.mean(axis=0)}) == 1
            where = "same at all layers" if flat else f"layer {LAYERS[lowest]} {table.mean(axis=0)[lowest]:.3f}"
            assert rows[name][2:6] == [*ends, f"{table.std(axis=1).mean():.3f}", where]
            assert rows[name][6] == f"see it ({table[:, lowest].min():.3f})"
            assert [found[name, layer] for layer in LAYERS] == [f"{value:.3f}" for value in table.mean(axis=0)]


def test_numbers_of_engines_are_those_of_the_tables(opened: Open) -> None:
    shown = opened("accuracy", view(prompt="c"))
    heads = shown.page.evaluate("[...document.querySelectorAll('#tradeoff thead th')].map(e => e.textContent)")
    assert heads[3:] == ["accuracy [95\u00a0%]", "gap closed [95\u00a0%]", "loss", "FLOPs", "KV"]
    rows = {(row[0], row[2]): row for row in shown.table("#tradeoff")}
    answers = {(row[0], row[1]): row for row in shown.table("#engines")}
    for name in CONTESTANTS:
        for keep in KEEP[:1] if name == "full" else KEEP:
            line = (name, "all" if name == "full" else f"{keep:g}")
            means = {
                metric: np.mean([measured(n, name, keep)[metric] for n in range(3)])
                for metric in measured(0, name, keep)
            }
            accuracy = f"{means['accuracy']:.3f} [{means['accuracy'] - 0.05:.3f}, {means['accuracy'] + 0.07:.3f}]"
            gap = "0.40 [0.10, 0.90]" if name in ("claa", "gemfilter") else "\u2013"
            assert rows[line][3:] == [
                accuracy,
                gap,
                *(f"{means[each]:.3f}" for each in ("loss", "flops_ratio", "kv_ratio")),
            ]
            own = measured(2, name, keep)
            assert answers[line][2] == f"{name} {keep if name != 'full' else 10:g} says <b>"
            assert answers[line][3:7] == [
                f"{own[each]:.3f}" for each in ("accuracy", "loss", "flops_ratio", "kv_ratio")
            ]


def test_what_an_engine_kept_is_held_against_as_many_of_the_truths_best(opened: Open) -> None:
    shown = opened("accuracy", view(prompt="b", ranking="gemfilter 20", mode="difference"))
    kept = set(kept_of(1, "gemfilter", 20.0))
    judged = {token for token in kept if token < TOKENS - WINDOW}
    order = sorted(range(TOKENS - WINDOW), key=lambda token: -scores_of(1).truth[token])
    important = set(order[: len(judged)])
    said = shown.tokens(
        "[s.textDecorationLine, s.outlineStyle, s.borderBottomStyle, s.backgroundColor !== 'rgba(0, 0, 0, 0)']"
    )
    for token in range(TOKENS):
        expected = (
            ["none", "none", "dotted", False] if token >= TOKENS - WINDOW
            else ["none", "none", "none", True] if token in judged & important
            else ["underline", "none", "none", True] if token in important
            else ["line-through", "dashed", "none", False] if token in judged
            else ["none", "none", "none", False]
        )  # fmt: skip
        assert said[token] == expected, token
    shown.page.locator("#engines a").first.click()
    shown.drawn()
    assert "ranking=claa+10" in shown.page.url


def test_a_run_without_levels_says_so_and_shows_the_rest(opened: Open) -> None:
    shown = opened("no levels")
    assert "kept no levels of the tokens of any prompt" in shown.page.locator(".lacks").text_content()
    assert shown.page.locator("#methods").is_visible()
    assert "the text" in shown.page.locator("#prompt blockquote").first.text_content()


def test_a_run_without_texts_shows_numbered_boxes(opened: Open) -> None:
    shown = opened("no texts", view(prompt="b", mode="truth"))
    assert "kept no texts" in shown.page.locator(".lacks").text_content()
    assert shown.tokens("e.textContent") == [str(token) for token in range(TOKENS)]
    assert "kept no answer" in shown.page.locator("#answer").text_content()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_in_print_the_whole_prompt_is_there_on_white_without_controls(opened: Open, theme: str) -> None:
    page = opened("ranking", view(prompt="b", theme=theme)).page
    paper = "getComputedStyle(document.body).backgroundColor"
    assert (page.evaluate(paper) == "rgb(253, 252, 249)") == (theme == "light")
    page.emulate_media(media="print")
    assert page.evaluate(paper) == "rgb(253, 252, 249)"
    assert page.evaluate("getComputedStyle(document.getElementById('tokens')).maxHeight") == "none"
    assert not any(each.is_visible() for each in page.locator("button, select, input").all())
    assert page.locator("#status").is_visible()  # says prompt, ranking, layer and k


def test_the_slider_stays_where_a_metric_has_no_value(browser: Any, tmp_path: Path) -> None:
    """Jaccard compares a layer with the one before: the first has none, but its tokens can be looked at."""
    folder = ranking_run(tmp_path)
    tables = folder.tables()
    first = (tables.metrics["layer"] == LAYERS[0]).fillna(False)
    folder.write_tables(replace(tables, metrics=tables.metrics[~first]))
    shown = Opened(browser, write_page(folder), view(prompt="b", ranking="claa", layer=LAYERS[1]))
    shown.page.locator("#layer").press("ArrowLeft")
    shown.drawn()
    assert shown.page.locator("#layer").get_attribute("aria-valuetext") == f"layer {LAYERS[0]}"
    assert f"claa at layer {LAYERS[0]}" in shown.page.locator("#status").text_content()
    shown.close()


def test_numbers_are_rounded_as_in_the_printed_tables(opened: Open) -> None:
    values = [part / whole for whole in (7, 8, 16, 40, 80, 200) for part in range(-whole, whole + 1)]
    said = opened().page.evaluate("values => values.map(value => [fixed(value), fixed(value, 2)])", values)
    assert said == [[f"{value:.3f}", f"{value:.2f}"] for value in values]


def test_of_prompts_whose_ids_are_numbers_the_worst_is_shown_first(browser: Any, tmp_path: Path) -> None:
    folder = ranking_run(tmp_path / "run")
    names = dict(zip(PROMPTS, ("3", "1", "2"), strict=True))
    tables = folder.tables()
    renamed = {
        name: rows.assign(**{column: rows[column].astype("object").replace(names)})
        for name, rows, column in (("metrics", tables.metrics, "sample"), ("summary", tables.summary, "sample"), ("samples", tables.samples, "id"))
    }  # fmt: skip
    folder.write_tables(replace(tables, **renamed))
    for old, new in names.items():
        folder.levels_file(old).rename(folder.levels_file(new))
    values = {new: np.mean([recall(scores_of(n), name, row, 10.0) for name in HEURISTICS[:2] for row in range(len(LAYERS))]) for n, new in enumerate(names.values())}  # fmt: skip
    worst, middle, best_one = sorted(values, key=lambda name: values[name])
    shown = Opened(browser, write_page(folder))
    options = shown.page.evaluate("[...document.querySelectorAll('[data-control=prompt] option, select[data-control=prompt] option')].map(e => e.value)")  # fmt: skip
    assert options == sorted([worst, best_one, middle])  # the menu; the worst is shown first
    assert shown.page.evaluate("VIEW.prompt") == worst
    shown.close()
