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

from tests.report import layer_examples
from tests.report.contestant_examples import accuracy_tables, fidelity_tables
from tests.report.page.test_page import data_of, unpacked
from tests.report.page_examples import (
    PROMPTS,
    TOKENS,
    WINDOW,
    accuracy_run,
    kept_of,
    ranking_run,
    two_truths_run,
    write_page,
)
from tests.report.ranking_examples import at_layer, of_prompt, of_prompts, ranked
from tests.report.run_folders import CONFIG, run_folder
from tokenrank.metrics.intervals import mean_intervals
from tokenrank.records.schema import SAMPLES, table
from tokenrank.records.token_levels import OUTSIDE
from tokenrank.report.page.levels import ALWAYS
from tokenrank.report.page.packing import numbers
from tokenrank.report.page.prompts import worst_and_best
from tokenrank.report.page.ranking import ranking_page, values_of_prompts
from tokenrank.report.pictures.layer_values import layer_values
from tokenrank.report.rows.loaded_run import load_run
from tokenrank.report.rows.loading import load
from tokenrank.report.tables.markdown import escaped
from tokenrank.report.tables.report_files import summary_text

SAMPLE_ROWS = [{"id": name, "task": "niah", "status": "ok"} for name in layer_examples.SAMPLES]


def numbers_of(data: Any, label: str) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(data["ranking"]["metrics"][label]["packed"])))


def test_fidelity_is_about_loss_although_the_full_prefill_was_graded(tmp_path: Path) -> None:
    page = data_of(write_page(run_folder(tmp_path, fidelity_tables())))["contestants"]
    assert page["results"][0] == "loss"
    assert set(page["worst"]) == {"loss", "kl", "same_token"}
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
    shown = numbers_of({"ranking": ranking_page(tables, k, "recall")}, "spearman")
    assert list(shown["heuristics"]) == ["claa"]
    claa = shown["heuristics"]["claa"]
    assert claa["worst"] == [[0.25, 1, 0], [0.5, 0, 0], [0.75, 1, 1]]
    assert claa["lowest"] == [[1, 0.25], [1, 0.75]]
    assert claa["low"] == claa["high"] == [None, None]  # no intervals of two prompts
    assert claa["mean"] == [0.375, 0.75]
    assert (claa["tenth"], claa["ninetieth"]) == (
        [0.275, 0.75],
        [0.475, 0.75],
    )  # as the mean: of the values that there are
    assert (claa["worst_layer"], claa["flat"]) == (0, False)


def test_curves_and_bands_are_those_of_the_pictures(tmp_path: Path) -> None:
    """Tova lacks prompt s4, so that all are over the other four."""
    tables = layer_examples.ranking()
    lost = (tables.metrics["sample"] == "s4") & (tables.metrics["heuristic"] == "tova")
    some = replace(tables, metrics=tables.metrics[~lost], samples=table(SAMPLE_ROWS, SAMPLES))
    data = data_of(write_page(run_folder(tmp_path, some)))
    for metric, k, label in (
        ("recall", 5.0, "recall@5"),
        ("recall", 10.0, "recall@10"),
        ("spearman", None, "spearman"),
    ):
        shown, drawn = numbers_of(data, label), layer_values(some, metric, 10.0 if k is None else k)
        assert shown["prompts"] == 4
        rows = layer_examples.cells(layer_examples.ranking(samples=layer_examples.SAMPLES[:4]), metric, k)
        for name, each in shown["heuristics"].items():
            assert each["mean"] == numbers(drawn.means.loc[name]) == pytest.approx(rows[name].mean(axis=1))
            for part, frame in (
                ("low", drawn.low),
                ("high", drawn.high),
                ("tenth", drawn.tenth),
                ("ninetieth", drawn.ninetieth),
            ):
                assert each[part] == numbers(frame.loc[name])
            ends = mean_intervals(rows[name].T)
            if name != "oracle":
                assert [each["low"], each["high"]] == [pytest.approx(end) for end in ends]
            assert each["tenth"] == pytest.approx(np.percentile(rows[name], 10, axis=1))
    assert numbers_of(data, "recall@10")["heuristics"]["oracle"]["low"] == [None] * 5  # 1 by definition


def test_the_worst_layer_leaves_windowed_layers_out(tmp_path: Path) -> None:
    tables = layer_examples.ranking(windowed=[3, 4])
    folder = run_folder(tmp_path, replace(tables, samples=table(SAMPLE_ROWS, SAMPLES)))
    shown = numbers_of(data_of(write_page(folder)), "recall@10")
    assert shown["windowed"] == [3, 4]
    claa = shown["heuristics"]["claa"]
    assert claa["mean"].index(min(claa["mean"])) == 4
    assert shown["layers"][claa["worst_layer"]] == layer_values(tables, "recall", 10).lowest["claa"] == 2
    assert shown["heuristics"]["oracle"]["flat"]
    assert {layer for _, _, layer in claa["worst"]} == {0, 1, 2}
    assert claa["worst"][0][0] == pytest.approx(layer_examples.cells(tables, "recall", 10.0)["claa"][:3].min())


def test_the_declared_metric_is_shown_first(tmp_path: Path) -> None:
    compare = "evaluation:\n  compare:\n    metric: {}\n    k: 10\n"
    tables = replace(layer_examples.ranking(), samples=table(SAMPLE_ROWS, SAMPLES))
    for number, (metric, label) in enumerate((("recall", "recall@10"), ("spearman", "spearman"))):
        page = data_of(write_page(run_folder(tmp_path / str(number), tables, CONFIG + compare.format(metric))))
        assert page["declared"] == page["ranking"]["first"] == label
        assert next(iter(page["ranking"]["metrics"].values()))["metric"] == metric  # in the list, too
    for number, metric in enumerate(("accuracy", "kl", "logprob"), 3):
        page = data_of(
            write_page(run_folder(tmp_path / str(number), accuracy_tables(), CONFIG + compare.format(metric)))
        )["contestants"]
        assert page["results"][0] == next(iter(page["measures"])) == metric
        assert set(page["worst"]) == set(page["results"])


def test_prompts_are_in_the_order_of_the_declared_metric() -> None:
    """Prompt a is the worst in recall, b in spearman."""
    values = {"recall": {"a": 0.1, "b": 0.2}, "spearman": {"a": 0.9, "b": -0.5}}
    summary = [
        of_prompt(sample, "claa", metric, "mean", 10.0 if metric == "recall" else None, value)
        for metric, each in values.items()
        for sample, value in each.items()
    ]
    tables = ranked([], summary, [{"id": sample, "task": "niah", "status": "ok"} for sample in "ab"])
    for metric, each in values.items():
        assert values_of_prompts(tables, 10.0, metric) == each
    assert values_of_prompts(tables, 10.0, "mass") == values["recall"]  # it was not measured


@pytest.mark.parametrize("texts", [True, False])
def test_errors_may_quote_a_prompt_and_are_shown_only_with_texts(tmp_path: Path, texts: bool) -> None:
    """An error of a prompt, of a metric that failed on it (a note), and of a contestant's run."""
    error = "ValueError: nobody's business"
    config = f"{CONFIG}texts: {str(texts).lower()}\n"
    lost = {"id": "s9", "task": "niah", "status": "failed", "error": error}
    ranking = layer_examples.ranking()
    failed = [{"id": "s0", "task": "niah", "status": "failed", "error": error}, *SAMPLE_ROWS[1:], lost]
    accuracy = accuracy_tables(prompts=3)
    runs = accuracy.runs.assign(status="failed", error=error)
    samples = pd.concat([accuracy.samples, table([lost], SAMPLES)], ignore_index=True).astype(dict(SAMPLES))
    for name, tables in (
        ("ranking", replace(ranking, samples=table(failed, SAMPLES))),
        ("accuracy", replace(accuracy, runs=runs, samples=samples)),
    ):
        folder = run_folder(tmp_path / name, tables, config, {"units": ["s9"]})
        data = data_of(write_page(folder))
        contents = [unpacked(view["content"]) for view in data["views"].values()]
        said = [json.dumps({**data, "views": None}), json.dumps(contents)]
        assert [error in each for each in said] == [texts, texts and name == "accuracy"]
        assert bool(data["prompts"][-1]["error"])
        summary = summary_text(load_run(folder))
        assert ("nobody" in summary) == (texts and name == "ranking")  # the note on metrics that failed


def test_page_and_summary_say_the_same_of_what_was_found(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, accuracy_tables(), environment={"units": ["s0", "later"]})
    data, summary = data_of(write_page(folder)), summary_text(load_run(folder))
    said = [line.removeprefix("- ") for line in summary.splitlines() if line.startswith("- ")]
    assert said == [escaped(line) for part in data["found"] for line in part["sentences"]]
    assert data["intro"][-1].startswith("The order of the methods is")
    assert escaped(data["intro"][-1]) in summary


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
    assert data["found"][0]["heading"] == "Means of recall@10"


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


def test_without_levels_of_the_truth_that_is_shown_there_are_none_and_it_is_said(tmp_path: Path) -> None:
    data = data_of(write_page(two_truths_run(tmp_path / "a", "ablation")))
    assert data["truth"] == "ablation"
    assert data["lacks"] == []
    assert data["prompts"][0]["evidence"] == [[5, 3], [20, 5]]
    old = two_truths_run(tmp_path / "b", "ablation")
    for name in PROMPTS:
        found = old.levels(name)
        assert found is not None
        old.write_levels(name, replace(found, others={}))
    data = data_of(write_page(old))
    assert data["lacks"] == [
        "The run kept no levels of the tokens of any prompt in the truth ablation: its rankings cannot be shown on the text."
    ]
    assert "truth" not in data["views"][PROMPTS[0]]


def test_the_page_holds_one_truth_alone(tmp_path: Path) -> None:
    first, other = (data_of(write_page(two_truths_run(tmp_path / name, name))) for name in ("attention", "ablation"))
    assert first["truth"] == "attention"
    for name in PROMPTS:
        assert first["views"][name]["truth"] != other["views"][name]["truth"]
        assert first["views"][name].keys() == other["views"][name].keys()
        assert first["views"][name]["rankings"] == other["views"][name]["rankings"]


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
