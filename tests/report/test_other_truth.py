"""plots.truth of another truth than the first: what is said of its comparisons, and what its pictures are called."""

from pathlib import Path

import pytest

from tests.report.ranking_examples import Row, at_layer, of_prompt, of_prompts, ranked
from tests.report.run_folders import draw, run_folder
from tokenrank.records.run_folder import RunFolder
from tokenrank.report.rows.loaded_run import LoadedRun, load_run
from tokenrank.report.sentences.found import what_was_found
from tokenrank.report.sentences.sentences import declared_measure
from tokenrank.report.tables.report_files import main_metrics, summary_text
from tokenrank.report.tables.result_rows import compared_with, result_rows

METHODS = {"claa": 0.6, "tova": 0.3}
SAMPLES = [{"id": f"p{n}", "task": "niah", "tokens": 9, "status": "ok"} for n in range(8)]


def rows(metric: str, truth: str | None, k: float | None, sign: int) -> tuple[list[Row], list[Row]]:
    """Values at two layers of eight prompts, their means, and the comparison of both methods."""
    metrics, summary = [], []
    for sample in (str(each["id"]) for each in SAMPLES):
        metrics.append(at_layer(sample, None, None, metric, k, 0.1) | {"truth": truth})
        for name, value in METHODS.items():
            metrics += [at_layer(sample, name, layer, metric, k, value) | {"truth": truth} for layer in (0, 1)]
            each = [of_prompt(sample, name, metric, statistic, k, value) for statistic in ("mean", "worst")]
            summary += [row | {"truth": truth} for row in each]
    for statistic in ("mean", "worst"):
        for name, value in METHODS.items():
            summary.append(of_prompts(name, metric, statistic, k, value, truth=truth, prompts=8))
        pair = {"against": "tova", "prompts": 8, "low": sign * 0.3 - 0.1, "high": sign * 0.3 + 0.1, "p": 0.01}
        declared = metric == "recall" and statistic == "mean" and truth in ("attention", None)
        more = pair | {"exploratory": not declared, "truth": truth}
        summary.append(of_prompts("claa", metric, statistic, k, sign * 0.3, **more))
    return metrics, summary


def folder(path: Path, shown: str | None, *, needs_truth: bool = True) -> RunFolder:
    """A run with two truths; claa is better by the first, tova by the second."""
    truths = {"attention": 1, "ablation": -1} if needs_truth else {None: 1}
    parts = [rows("lds", None, None, 1), *(rows("recall", truth, 10.0, sign) for truth, sign in truths.items())]
    metrics, summary = ([row for part in parts for row in part[place]] for place in (0, 1))
    config = (
        "oracle:\n  attention: {}\n  ablation: {}\nmetric:\n  recall: {}\n  lds: {}\nstudy: null\n"
        f"plots: {{k: 10, truth: {shown or 'null'}, metrics: all}}\n"
    )
    return run_folder(path, ranked(metrics, summary, SAMPLES), config, {"units": [each["id"] for each in SAMPLES]})


def said(run: LoadedRun) -> str:
    found = what_was_found(run.tables, run.config, run.environment)
    return "\n".join([*found.order, *(sentence for part in found.parts for sentence in part.sentences)])


def test_of_another_truth_the_same_pairs_are_said_and_called_exploratory(tmp_path: Path) -> None:
    run = load_run(folder(tmp_path, "ablation"))
    text = said(run)
    assert text.startswith(
        "Against ablation a difference is established for 1 of 1 compared pair (adjusted p <= 0.05). This is exploratory: the declared comparison is against attention."
    )
    assert (
        "Exploratory comparison against ablation (the declared one is against attention), recall@10, mean over layers (1 pair, 8 prompts): "
        "tova is better than claa by 0.300 [0.200, 0.400] (p = 0.01)."
    ) in text
    assert "compared: that takes" not in text
    assert "Declared comparison" not in text
    assert declared_measure(run.tables, run.config) == ("recall", 10.0)
    assert main_metrics(run)[0] == "recall"


def test_of_the_first_truth_the_comparison_is_declared(tmp_path: Path) -> None:
    text = said(load_run(folder(tmp_path, None)))
    assert "Declared comparison, recall@10, mean over layers (1 pair, 8 prompts): claa is better than tova" in text
    assert "is exploratory" not in text.partition("worst layer")[0]


def test_a_declared_metric_that_needs_no_truth_stays_declared(tmp_path: Path) -> None:
    text = said(load_run(folder(tmp_path, "ablation", needs_truth=False)))
    assert "Declared comparison, recall@10, mean over layers (1 pair, 8 prompts): claa is better than tova" in text
    assert "Exploratory comparison" not in text


def test_no_dagger_stands_for_another_truth_and_the_caption_says_why(tmp_path: Path) -> None:
    for shown, daggers in (("ablation", []), ("attention", ["claa"])):
        run = load_run(folder(tmp_path / shown, shown))
        found = result_rows(run)
        assert found.loc[found["dagger"], "method"].tolist() == daggers
        assert set(found.loc[found["metric"] == "recall", "truth"].dropna()) == {shown}
        assert ("No dagger: the comparison against ablation" in summary_text(run)) == (shown == "ablation")
    with pytest.raises(ValueError, match="again compares none against ablation by a declared test"):
        compared_with(load_run(folder(tmp_path / "again", "ablation")), "claa")


def test_pictures_of_another_truth_have_names_of_their_own(tmp_path: Path) -> None:
    names = {}
    for shown in ("attention", "ablation"):
        made = folder(tmp_path / shown, shown)
        assert draw(made) == []
        names[shown] = {file.stem for file in made.plots.glob("*.png")}
    only = {name for name in names["ablation"] if "_against_" in name}
    assert only == {f"recall_at_10_against_ablation_{kind}" for kind in ("variance", "layers", "prompts", "heatmap")}
    assert names["ablation"] & names["attention"] == {
        f"lds_{kind}" for kind in ("variance", "layers", "prompts", "heatmap")
    } | {"recall_at_10_agreement"}
    index = (tmp_path / "ablation" / "plots" / "index.md").read_text(encoding="utf-8")
    assert "recall@10, against ablation: method x layer" in index
    assert "\nlds: method x layer" in index
