"""What leaves a run folder: the right numbers, and no text or file with texts unless it was asked for."""

from pathlib import Path

import pandas as pd
import pytest

from tests.report.contestant_examples import LOSSES, as_tables, fidelity_tables, value_row, whose
from tests.report.mirror_examples import NAMES, OURS, VALUES, made_up
from tokenrank.records.schema import TEXTS
from tokenrank.records.tables import Tables
from tokenrank.report.loggers.run_copy import keep_curves, means_of_contestants, run_copy

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


def test_texts_and_files_with_them_are_chosen_here_alone(tmp_path: Path) -> None:
    run = made_up(tmp_path)
    without, whole = (run_copy(run, NAMES, texts=texts) for texts in (False, True))
    assert not {*TEXTS} & {*without.samples}
    assert set(without.files) == TABLES
    assert whole.samples["prompt"][0] == OURS
    assert set(whole.files) == TABLES | {"samples.parquet", "runs.parquet", "report.html", "levels/a.parquet"}
    assert [file.name for file in without.pictures] == ["recall_at_10_layers.png"]


def test_curves_of_contestants_are_over_keep_rates() -> None:
    rows = [value_row("niah", "a", "claa", "accuracy", keep, keep / 100) for keep in (10.0, 20.0)]
    curves = keep_curves(means_of_contestants(as_tables(rows, [])))
    wanted = pd.DataFrame({"contestant": "claa", "name": "accuracy", "step": [10.0, 20.0], "value": [0.1, 0.2]})
    pd.testing.assert_frame_equal(curves, wanted, check_dtype=False)


def test_contestants_are_summed_up_at_every_keep_rate() -> None:
    metrics = [
        value_row("niah", sample, name, "accuracy", keep, accuracy)
        for sample, accuracy in (("a", 0.2), ("b", 0.6))
        for name, keep in (("full", 100.0), ("claa", 10.0), ("claa", 20.0))
    ]
    mean = whose("claa", 10.0) | {"metric": "accuracy", "statistic": "mean", "value": 7.0}
    median = value_row("niah", "a", "claa", "ttft", 10.0, 3.0) | {"statistic": "median"}
    found = flat(as_tables(metrics, [mean, median]))
    accuracies = {f"{name}/accuracy@{keep}": 0.4 for name, keep in (("full", 100), ("claa", 10), ("claa", 20))}
    assert found == pytest.approx(accuracies | {"claa/ttft@10": 3.0})


def test_losses_of_every_engines_bound_and_control_are_summed_up() -> None:
    found = flat(fidelity_tables(("full", "claa", "oracle@claa", "random@claa"), prompts=2))
    for name in ("claa", "oracle@claa", "random@claa"):
        for place, keep in enumerate((10, 20, 40)):
            assert found[f"{name}/loss@{keep}"] == pytest.approx(LOSSES[name][place])
            assert found[f"{name}/kl@{keep}"] == pytest.approx(0.8 * LOSSES[name][place])
    assert (found["full/loss@100"], found["full/same_token@100"]) == (0, 1)
