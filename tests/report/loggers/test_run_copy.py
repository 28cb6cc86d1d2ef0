"""What leaves a run folder: the numbers of the other reports, and no text or file with texts unless it was asked for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.report.contestant_examples import LOSSES, as_tables, fidelity_tables, value_row, whose
from tests.report.layer_examples import SAMPLES, cells, ranking
from tests.report.mirror_examples import NAMES, OURS, VALUES, made_up
from tests.report.run_folders import run_folder
from tokenrank.records.schema import TEXTS
from tokenrank.records.tables import Tables
from tokenrank.report.loggers.run_copy import keep_curves, layer_means, means_of_contestants, run_copy
from tokenrank.report.pictures.layer_values import layer_values

TABLES = {"metrics.parquet", "summary.parquet"}


def flat(tables: Tables) -> dict[str, float]:
    """CONTESTANT/METRIC@KEEP -> mean over prompts."""
    means = means_of_contestants(tables).to_dict("records")
    return {f"{row['contestant']}/{row['name']}": row["value"] for row in means}


def test_curves_are_the_means_over_prompts_at_each_layer(tmp_path: Path) -> None:
    curves = run_copy(made_up(tmp_path), NAMES, texts=False).curves.set_index(["contestant", "name", "step"])["value"]
    for layer in (0, 3):
        by_hand = (VALUES["a", layer] + VALUES["b", layer]) / 2
        assert curves["claa", "recall@10", layer] == pytest.approx(by_hand)
        assert curves["claa", "recall@5", layer] == pytest.approx(by_hand / 2)
        assert curves["chance", "recall@10", layer] == pytest.approx(0.1)
    assert curves["claa", "spearman", 3] == -0.5
    assert len(curves) == 7


def test_curves_are_over_the_prompts_that_all_heuristics_have_as_in_the_pictures(tmp_path: Path) -> None:
    tables = ranking()
    lost = (tables.metrics["sample"] == "s4") & (tables.metrics["heuristic"] == "tova")
    some = replace(tables, metrics=tables.metrics[~lost])
    copied = run_copy(run_folder(tmp_path, some), NAMES, texts=False)
    found = copied.curves.set_index(["contestant", "name", "step"])["value"]
    for metric, k, name in (("recall", 5.0, "recall@5"), ("recall", 10.0, "recall@10"), ("spearman", None, "spearman")):
        drawn = layer_values(some, metric, 10.0 if k is None else k)
        by_hand = cells(ranking(samples=SAMPLES[:4]), metric, k)
        for heuristic in drawn.heuristics:
            for layer, value in enumerate(drawn.means.T[heuristic].to_list()):
                assert found[heuristic, name, layer] == value
                assert value == pytest.approx(np.mean(by_hand[heuristic][layer]))


def test_a_prompt_without_a_value_of_some_heuristic_is_in_no_curve() -> None:
    """Its row is there, with NaN; summary.parquet leaves the prompt out too. A heuristic without any value leaves none out."""
    tables = ranking()
    rows = tables.metrics
    lost = (rows["sample"] == "s4") & (rows["heuristic"] == "tova") | (rows["heuristic"] == "recency")
    found = layer_means(replace(tables, metrics=rows.assign(value=rows["value"].mask(lost))))
    own = found[(found["heuristic"] == "claa") & (found["metric"] == "spearman")].set_index("layer")["value"]
    wanted = cells(ranking(samples=SAMPLES[:4]), "spearman", None)["claa"].mean(axis=1)
    assert own.to_list() == pytest.approx(wanted.tolist())
    assert "recency" not in set(found["heuristic"])


def test_means_of_rankings_are_those_of_the_summary(tmp_path: Path) -> None:
    tables = ranking()
    over = tables.summary["sample"].isna()
    other = tables.summary.assign(value=tables.summary["value"].mask(over, tables.summary["value"] / 3))
    copied = run_copy(run_folder(tmp_path, replace(tables, summary=other)), NAMES, texts=False)
    found = copied.means.set_index(["contestant", "name"])["value"]
    own = cells(tables, "recall", 10.0)["claa"]
    assert found["claa", "recall@10.mean"] == pytest.approx(own.mean() / 3)
    assert found["claa", "recall@10.worst"] == pytest.approx(own.min(axis=0).mean() / 3)
    assert found["chance", "recall@10"] == pytest.approx(0.1)


def test_texts_and_files_with_them_are_chosen_here_alone(tmp_path: Path) -> None:
    run = made_up(tmp_path)
    without, whole = (run_copy(run, NAMES, texts=texts) for texts in (False, True))
    assert not {*TEXTS} & {*without.samples}
    assert set(without.files) == TABLES
    assert whole.samples["prompt"][0] == OURS
    assert set(whole.files) == TABLES | {"samples.parquet", "runs.parquet", "report.html", "levels/a.parquet"}
    assert [file.name for file in without.pictures] == ["recall_at_10_layers.png"]


def test_curves_of_contestants_are_over_keep_rates() -> None:
    rows = [value_row("niah", "a", "claa", "accuracy", keep, 7.0) for keep in (10.0, 20.0)]
    means = [
        whose("claa", keep) | {"metric": "accuracy", "statistic": "mean", "value": keep / 100} for keep in (10.0, 20.0)
    ]
    curves = keep_curves(means_of_contestants(as_tables(rows, means)))
    wanted = pd.DataFrame({"contestant": "claa", "name": "accuracy", "step": [10.0, 20.0], "value": [0.1, 0.2]})
    pd.testing.assert_frame_equal(curves, wanted, check_dtype=False)


def test_means_of_contestants_are_those_of_the_summary_over_the_prompts_that_all_have() -> None:
    """Claa alone answered prompt c: its mean in summary.parquet is over a and b."""
    values = {"a": 0.2, "b": 0.6, "c": 1.0}
    lines = (("full", 100.0), ("claa", 10.0), ("claa", 20.0))
    metrics = [
        value_row("niah", sample, name, "accuracy", keep, value)
        for sample, value in values.items()
        for name, keep in lines
        if sample != "c" or name == "claa"
    ]
    means = [
        whose(name, keep) | {"metric": "accuracy", "statistic": "mean", "value": 0.4, "prompts": 2}
        for name, keep in lines
    ]
    difference = means[1] | {"against": "full", "value": 7.0}
    by_task, closed = means[1] | {"task": "niah", "value": 7.0}, means[1] | {"statistic": "gap_closed", "value": 7.0}
    found = flat(as_tables(metrics, [*means, difference, by_task, closed]))
    assert found == {f"{name}/accuracy@{keep:g}": 0.4 for name, keep in lines}


def test_times_are_summed_up_over_the_prompts_that_every_contestant_has() -> None:
    """summary.parquet has the medians of each prompt and no mean over prompts."""
    times = {("a", "full"): 4.0, ("a", "claa"): 2.0, ("b", "full"): 8.0, ("b", "claa"): 3.0, ("c", "full"): 9.0}
    rates = {"full": 100.0, "claa": 10.0}
    medians = [
        value_row("random", sample, name, "ttft", rates[name], value) | {"statistic": "median"}
        for (sample, name), value in times.items()
    ]
    metrics = [value_row("random", "a", "claa", "choosing_share", 10.0, 0.25)]
    assert flat(as_tables(metrics, medians)) == {
        "claa/ttft@10": 2.5,
        "full/ttft@100": 6.0,
        "claa/choosing_share@10": 0.25,
    }


def test_losses_of_every_engines_bound_and_control_are_summed_up() -> None:
    found = flat(fidelity_tables(("full", "claa", "oracle@claa", "random@claa"), prompts=2))
    for name in ("claa", "oracle@claa", "random@claa"):
        for place, keep in enumerate((10, 20, 40)):
            assert found[f"{name}/loss@{keep}"] == pytest.approx(LOSSES[name][place])
            assert found[f"{name}/kl@{keep}"] == pytest.approx(0.8 * LOSSES[name][place])
    assert (found["full/loss@100"], found["full/same_token@100"]) == (0, 1)
