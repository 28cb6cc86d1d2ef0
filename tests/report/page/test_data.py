"""What the page holds of a run beyond the ordinary: fidelity, values that are missing, many rows."""

import base64
import json
import math
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.report.contestant_examples import accuracy_tables, fidelity_tables
from tests.report.page.test_page import data_of
from tests.report.page_examples import PROMPTS, TOKENS, WINDOW, accuracy_run, kept_of, ranking_run, write_page
from tests.report.ranking_examples import at_layer, of_prompt, of_prompts, ranked
from tests.report.run_folders import CONFIG, run_folder
from tokenrank.records.schema import SAMPLES, table
from tokenrank.records.token_levels import OUTSIDE
from tokenrank.report.page.levels import ALWAYS
from tokenrank.report.page.prompts import worst_and_best
from tokenrank.report.page.ranking import ranking_page
from tokenrank.report.rows.loading import load


def numbers_of(data: Any, label: str) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(data["ranking"]["metrics"][label]["packed"])))


def test_fidelity_is_about_loss_although_the_full_prefill_was_graded(tmp_path: Path) -> None:
    page = data_of(write_page(run_folder(tmp_path, fidelity_tables())))["contestants"]
    assert page["results"][0] == "loss"
    assert set(page["worst"]) == {"loss", "kl"}
    values = [value for value, line, _ in page["worst"]["loss"] if page["lines"][line]["key"] == "claa 10"]
    assert values == sorted(values, reverse=True) == [0.48] * 12


def test_accuracy_comes_first_where_contestants_answered(tmp_path: Path) -> None:
    page = data_of(write_page(run_folder(tmp_path, accuracy_tables())))["contestants"]
    assert page["results"][0] == "accuracy"
    worst = [value for value, line, _ in page["worst"]["accuracy"] if page["lines"][line]["key"] == "claa 10"]
    assert worst == sorted(worst)
    assert len(worst) == 12


def test_missing_values_are_no_worst_ones(tmp_path: Path) -> None:
    values = {("a", 0): 0.5, ("a", 1): math.nan, ("b", 0): 0.25, ("b", 1): 0.75}
    metrics = [at_layer(sample, "claa", layer, "spearman", None, value) for (sample, layer), value in values.items()]
    metrics += [at_layer(sample, "flat", layer, "spearman", None, math.nan) for sample, layer in values]
    metrics += [at_layer("a", None, None, "spearman", None, 0.0)]
    summary = [of_prompt(sample, "claa", "spearman", "mean", None, 0.4) for sample in "ab"]
    summary += [of_prompts("claa", "spearman", "mean", None, 0.4)]
    samples = [{"id": sample, "task": "niah", "status": "ok"} for sample in "ab"]
    tables, k = load(run_folder(tmp_path, ranked(metrics, summary, samples)), {"plots": {"k": 10}}, None)
    shown = numbers_of({"ranking": ranking_page(tables, k)}, "spearman")
    assert list(shown["heuristics"]) == ["claa"]
    claa = shown["heuristics"]["claa"]
    assert claa["worst"] == [[0.25, 1, 0], [0.5, 0, 0], [0.75, 1, 1]]
    assert claa["lowest"] == [[1, 0.25], [1, 0.75]]
    assert claa["low"][1] is None
    assert claa["mean"] == [0.375, 0.75]


def test_of_very_many_rows_the_first_metrics_alone_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = ranking_run(tmp_path)
    assert len(data_of(write_page(folder))["ranking"]["metrics"]) == 4
    monkeypatch.setattr("tokenrank.report.page.data.MANY_ROWS", 10)
    data = data_of(write_page(folder))
    assert list(data["ranking"]["metrics"]) == ["recall@10"]
    assert "at k = 10 %" in data["lacks"][0]


@pytest.mark.parametrize("setting", ["report: true\n", "report: null\n"])
def test_a_setting_that_asks_for_the_page_is_no_evaluation_of_somebodys_own(tmp_path: Path, setting: str) -> None:
    folder = ranking_run(tmp_path)
    folder.config.write_text(CONFIG + setting)
    data = data_of(write_page(folder))
    assert data["kind"] == "ranking"
    assert any(sentence.startswith("recall@10") for sentence in data["summary"])


def test_worst_and_best_take_turns_whatever_their_number() -> None:
    for count in range(8):
        values = {f"{place}": float(place) for place in range(count)}
        found = worst_and_best(values)
        assert sorted(found) == sorted(values)
        assert [float(name) for name in found[::2]] == sorted(float(name) for name in found[::2])
        assert [float(name) for name in found[1::2]] == sorted((float(name) for name in found[1::2]), reverse=True)


def test_a_failed_prompt_says_why(tmp_path: Path) -> None:
    tables = accuracy_tables(prompts=3)
    failed = {"id": "s9", "task": "niah", "status": "failed", "error": "out of memory"}
    samples = pd.concat([tables.samples, table([failed], SAMPLES)], ignore_index=True).astype(dict(SAMPLES))
    data = data_of(write_page(run_folder(tmp_path, replace(tables, samples=samples))))
    assert data["prompts"][-1]["error"] == "out of memory"
    assert list(data["views"])[-1] == "s9"


def test_the_window_that_engines_always_keep_is_not_judged(tmp_path: Path) -> None:
    """As evaluation=accuracy writes levels: all tokens have one, those of the window too."""
    folder = accuracy_run(tmp_path)
    folder.config.write_text(f"{CONFIG}prefill:\n  window: {WINDOW}\n")
    for name in PROMPTS:
        found = folder.levels(name)
        assert found is not None
        folder.write_levels(
            name, replace(found, truth=np.where(found.truth == OUTSIDE, 4, found.truth).astype(np.uint8))
        )
    kept = data_of(write_page(folder))["views"][PROMPTS[1]]["kept"]["claa 20"]
    verdicts = zlib.decompress(base64.b64decode(kept))
    assert len(verdicts) == TOKENS
    assert [token for token, verdict in enumerate(verdicts) if verdict == ALWAYS] == kept_of(1, "claa", 20.0)[-WINDOW:]
