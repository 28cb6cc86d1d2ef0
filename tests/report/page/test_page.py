"""report.html as a file: its policy, its size, what it says it lacks, and bad input."""

import base64
import hashlib
import json
import os
import re
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.report.page_examples import HOSTILE, PROMPTS, accuracy_run, ranking_run, write_page
from tests.report.ranking_examples import at_layer, of_prompt, of_prompts, ranked
from tests.report.run_folders import CONFIG, run_folder
from tests.report.ttft_examples import ttft_tables
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.token_levels import TokenLevels
from tokenrank.report.page.page import LIMIT
from tokenrank.report.page.prompts import views

K = (5.0, 10.0, 20.0, 40.0)


def data_of(path: Path) -> Any:
    """What the page reads."""
    (found,) = re.findall(
        r'<script type="application/json" id="data">(.*?)</script>', path.read_text("utf-8"), re.DOTALL
    )
    return json.loads(found)


def unpacked(text: str) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(text)))


def test_only_the_pages_own_script_and_style_may_run(tmp_path: Path) -> None:
    text = write_page(ranking_run(tmp_path)).read_text("utf-8")
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy.startswith("default-src 'none'; ")
    for tag, name in (("script", "script-src"), ("style", "style-src")):
        (inline,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        sha = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{name} 'sha256-{sha}'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)


def test_no_text_of_a_run_can_end_the_element_that_holds_it(tmp_path: Path) -> None:
    hostile = "</script><!--\u2028" + HOSTILE[1]
    tables = ranked(samples=[{"id": "a", "task": hostile, "status": "failed", "error": hostile}])
    path = write_page(run_folder(tmp_path, tables, CONFIG + f"# {hostile!r}\n", {"units": ["a"]}))
    text = path.read_text("utf-8")
    assert text.count("</script>") == 2
    assert "<!--" not in text.partition("<body>")[2]
    assert "\u2028" not in text
    assert data_of(path)["prompts"][0]["error"] == hostile


def test_lone_surrogates_stay_what_they_are(tmp_path: Path) -> None:
    data = data_of(write_page(ranking_run(tmp_path)))
    assert unpacked(data["views"]["b"]["content"])["texts"][6] == "\ud83d"


@pytest.mark.parametrize("make", [ranking_run, accuracy_run])
def test_every_prompt_of_a_small_run_is_there(tmp_path: Path, make: Callable[[Path], RunFolder]) -> None:
    data = data_of(write_page(make(tmp_path)))
    assert sorted(data["views"]) == sorted(PROMPTS)
    assert data["lacks"] == []
    assert all(view["k"] == list(K) for view in data["views"].values())


def large(path: Path, prompts: int, tokens: int, layers: int, heuristics: int, alike: float) -> RunFolder:
    """A run whose prompts have the same levels, each token at random: in ``alike`` of the layers as in the one before.

    Prompt number n has recall n / prompts.
    """
    names, ids = [f"method_{n}" for n in range(heuristics)], [f"p{n:03}" for n in range(prompts)]
    metrics = [at_layer(each, None, None, "recall", 10.0, 0.1) for each in ids]
    metrics += [
        at_layer(each, name, layer, "recall", 10.0, n / prompts)
        for n, each in enumerate(ids)
        for name in names
        for layer in range(layers)
    ]
    summary = [
        of_prompt(each, name, "recall", "mean", 10.0, n / prompts) for n, each in enumerate(ids) for name in names
    ]
    summary += [of_prompts(name, "recall", "mean", 10.0, 0.5, prompts=prompts) for name in names]
    samples = [{"id": each, "task": "niah", "tokens": tokens, "status": "ok", "answer": "yes"} for each in ids]
    folder = run_folder(path, ranked(metrics, summary, samples), environment={"units": ids})
    random = np.random.default_rng(0)

    def rows() -> np.ndarray[Any, Any]:
        found = random.choice(5, (layers, tokens), p=[0.6, 0.2, 0.1, 0.05, 0.05]).astype(np.uint8)
        for layer in range(1, layers):
            found[layer] = np.where(random.random(tokens) < alike, found[layer - 1], found[layer])
        return found

    words = [f" word{n}" for n in random.integers(0, 2000, tokens)]
    first = rows()
    levels = TokenLevels(
        K,
        tuple(range(layers)),
        random.random((1, tokens)).astype(np.float32),
        first[:1],
        {name: np.roll(first, 101 * n, axis=1) for n, name in enumerate(names)},
        tuple(words),
    )
    folder.write_levels(ids[0], levels)
    for each in ids[1:]:
        os.link(folder.levels_file(ids[0]), folder.levels_file(each))
    return folder


@pytest.mark.parametrize(("alike", "k"), [(0.97, list(K)), (0.9, [5.0, 10.0, 20.0]), (0.0, [10.0])])
def test_20_prompts_of_4000_tokens_fit_with_all_of_their_tokens(tmp_path: Path, alike: float, k: list[float]) -> None:
    """Where layers have little in common the other k are left out, and the page says so."""
    path = write_page(large(tmp_path, 20, 4000, 30, 10, alike))
    data = data_of(path)
    assert path.stat().st_size < LIMIT == 3_000_000
    assert len(data["views"]) == 20
    assert {tuple(view["k"]) for view in data["views"].values()} == {tuple(k)}
    without = ", ".join(f"{each:g}" for each in K if each not in k)
    assert [f"not shown at k = {without} %," in sentence for sentence in data["lacks"]] == [True] * bool(without)


def test_of_200_prompts_the_worst_and_the_best_are_there_and_the_page_says_so(tmp_path: Path) -> None:
    path = write_page(large(tmp_path, 200, 4000, 30, 10, 0.0))
    data = data_of(path)
    assert path.stat().st_size < LIMIT
    shown = list(data["views"])
    assert 10 < len(shown) < 200
    assert shown[:4] == ["p000", "p199", "p001", "p198"]
    assert f"the tokens of {len(shown)} of 200 prompts, the worst and the best ones" in data["lacks"][0]
    assert len(data["prompts"]) == 200


def test_a_prompt_that_does_not_fit_makes_room_for_later_ones(tmp_path: Path) -> None:
    """Texts of prompt ``first one`` alone are longer than the room; so are those of all prompts where there is none."""
    folder = ranking_run(tmp_path)
    random = np.random.default_rng(0)
    found = folder.levels(PROMPTS[0])
    assert found is not None
    long = tuple("".join(map(chr, random.integers(97, 122, 400))) for _ in range(found.tokens))
    folder.write_levels(PROMPTS[0], replace(found, texts=long))
    tokens = dict.fromkeys(PROMPTS, 64.0)
    shown = views(folder, tokens, 10.0, 12_000)
    assert list(shown.prompts) == list(PROMPTS[1:])
    assert all(view["k"] == list(K) for view in shown.prompts.values())
    (said,) = shown.lacks
    assert "of 2 of 3 prompts, the worst and the best ones," in said
    assert "1 was too large for it: first one." in said
    none = views(folder, tokens, 10.0, 100)
    assert none.prompts == {}
    assert "of 0 of 3 prompts to stay below 3 MB. 3 were too large for it: first one, b, c." in none.lacks[0]
    (one,) = views(folder, {"first one": 64.0}, 10.0, 100).lacks
    assert "of 0 of 1 prompt to stay" in one
    assert "1 was too large" in one


def test_a_run_without_results_has_a_page(tmp_path: Path) -> None:
    tables = ranked(samples=[{"id": "a", "task": "niah", "status": "failed", "error": "too long"}])
    data = data_of(write_page(run_folder(tmp_path, tables, environment={"units": ["a"]})))
    assert data["title"] == "no results yet"
    assert data["found"][0]["sentences"] == ["No prompt could be measured."]


def test_half_a_run_says_so(tmp_path: Path) -> None:
    folder = ranking_run(tmp_path)
    folder.begin({}, dict.fromkeys([*PROMPTS, "d"], "key"), CONFIG)
    assert "half a run: 3 of 4 units are done" in data_of(write_page(folder))["found"][-1]["sentences"]


def test_times_and_other_peoples_evaluations_have_tables(tmp_path: Path) -> None:
    data = data_of(write_page(run_folder(tmp_path / "t", ttft_tables())))
    (table,) = data["tables"]
    assert data["kind"] == "ttft"
    assert table["columns"][:4] == ["tokens", "contestant", "keep %", "seconds to first token"]
    assert not any("oracle" in row[1] for row in table["rows"])
    own = ranked(
        [at_layer("a", "x", 0, "mine", None, 0.5)], [of_prompts("x", "mine", "mean", None, 0.5, low=0.4, high=0.6)]
    )
    other = data_of(write_page(run_folder(tmp_path / "o", own, CONFIG + "report_class: {_target_: some.Report}\n")))
    assert other["tables"][0]["rows"] == [["x", "mine", "mean", 0.5, 0.4, 0.6]]


def test_overwriting_a_run_removes_its_page(tmp_path: Path) -> None:
    folder = ranking_run(tmp_path)
    path = write_page(folder)
    folder.remove_run()
    assert not path.exists()


def test_a_failure_leaves_the_old_page(tmp_path: Path) -> None:
    folder = ranking_run(tmp_path)
    before = write_page(folder).read_bytes()
    folder.levels_file("c").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match="holds no levels that can be read"):
        write_page(folder)
    assert (tmp_path / "report.html").read_bytes() == before


def without_table(folder: RunFolder) -> str:
    (folder.path / "summary.parquet").unlink()
    return "has no summary.parquet"


def of_an_older_format(folder: RunFolder) -> str:
    environment = folder.path / "environment.json"
    environment.write_text(environment.read_text().replace("run folder 3", "run folder 1"))
    return "was not written by this version of tokenrank"


def no_run(folder: RunFolder) -> str:
    (folder.path / "environment.json").unlink()
    return "is no run folder"


@pytest.mark.parametrize("broken", [without_table, of_an_older_format, no_run])
def test_bad_folders_are_one_sentence(tmp_path: Path, broken: Callable[[RunFolder], str]) -> None:
    folder = ranking_run(tmp_path)
    said = broken(folder)
    with pytest.raises(ValueError, match=said):
        write_page(folder)
    assert not (tmp_path / "report.html").exists()


def test_the_k_of_plots_is_shown_first(tmp_path: Path) -> None:
    folder = ranking_run(tmp_path)
    assert data_of(write_page(folder, k=20))["ranking"]["first"] == "recall@20"
    assert data_of(write_page(folder))["ranking"]["first"] == "recall@10"
