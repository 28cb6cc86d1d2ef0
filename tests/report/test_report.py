"""The report of a folder: which pictures belong to which run, what a failure leaves, and names that are no mathematics."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.report.contestant_examples import accuracy_tables, as_tables, fidelity_tables, renamed
from tests.report.ranking_examples import at_layer, of_pair, of_prompt, of_prompts, ranked
from tests.report.run_folders import CONFIG, draw, printed, run_folder
from tests.report.ttft_examples import ttft_tables
from tokenrank.records.tables import Tables
from tokenrank.report.pictures.picture_index import INDEX, OTHER, sentence

FEW = ("full", "claa", "oracle@claa", "random@claa")
HOSTILE = "a$b$_c\\d"
STUDY = """
  name: widths
  metric: recall
  label: width
  scale: linear
  points:
    claa_n1: {heuristic: claa, value: 1}
    claa_n2: {heuristic: claa, value: 2}
"""


def a_ranking() -> Tables:
    """Two prompts with needles, two points of a study, two layers, two k."""
    metrics, summary = [], []
    for metric in ("recall", "needle_recall", "jaccard"):
        for k in (5.0, 10.0):
            metrics += [at_layer(sample, None, None, metric, k, k / 100) for sample in ("a", "b")]
            for name in ("claa_n1", "claa_n2"):
                summary += [of_pair(name, 0, 1, metric, k, 0.5)] * (metric == "jaccard")
                summary += [of_prompts(name, metric, each, k, 0.45, prompts=2) for each in ("mean", "worst")]
                for sample in ("a", "b"):
                    metrics += [at_layer(sample, name, layer, metric, k, 0.4 + layer / 10) for layer in (0, 1)]
                    summary += [of_prompt(sample, name, metric, each, k, 0.45) for each in ("mean", "worst")]
    samples = [
        {"id": name, "task": "niah", "tokens": 300, "depth": depth, "accuracy": 1.0, "status": "ok"}
        for name, depth in (("a", 0.0), ("b", 50.0))
    ]
    return ranked(metrics, summary, samples)


def with_depths(tables: Tables) -> Tables:
    return replace(tables, samples=tables.samples.assign(depth=50.0))


def drawn(path: Path) -> set[str]:
    found = {file.name for file in (path / "plots").iterdir()} - {INDEX}
    stems = {name.rpartition(".")[0] for name in found}
    assert found == {f"{stem}.{end}" for stem in stems for end in ("png", "pdf")}
    return stems


def test_a_ranking_has_its_pictures(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, a_ranking(), CONFIG.replace("study: null", f"study:{STUDY}"))
    assert draw(folder, metrics="all") == []
    layers = {
        f"{name}_at_10_{kind}"
        for name in ("recall", "needle_recall", "jaccard")
        for kind in ("variance", "layers", "prompts", "heatmap")
    }
    grids = {"grid_accuracy", "grid_needle_recall_at_10"}
    assert drawn(tmp_path) == layers | grids | {"jaccard_at_10_between", "study_widths_recall_at_10"}
    assert not folder.published.exists()


@pytest.mark.parametrize("make", [a_ranking, lambda: with_depths(accuracy_tables(FEW)), ttft_tables])
def test_the_index_has_every_picture_with_a_sentence_of_its_kind(tmp_path: Path, make: Callable[[], Tables]) -> None:
    folder = run_folder(tmp_path, make(), CONFIG.replace("study: null", f"study:{STUDY}"))
    assert draw(folder, metrics="all" if make is a_ranking else None) == []
    text = (folder.plots / INDEX).read_text()
    for name in drawn(tmp_path):
        assert text.count(f"![{name}](<{name}.png>)") == text.count(f"[PDF](<{name}.pdf>)") == 1
        assert sentence(name)[1] in text
    assert OTHER not in text


def test_the_index_grows_with_the_pictures_and_stays_where_none_is_drawn(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, a_ranking())
    draw(folder)
    before = (folder.plots / INDEX).stat().st_mtime_ns
    draw(folder, lacking=True)
    assert (folder.plots / INDEX).stat().st_mtime_ns == before
    draw(folder, k=5)
    text = (folder.plots / INDEX).read_text()
    assert "## recall_at_10_layers" in text
    assert "## recall_at_5_layers" in text


@pytest.mark.parametrize(
    ("chosen", "drawn_metrics"),
    [
        ("null", {"recall"}),  # of the two by default; spearman was not measured
        ("[jaccard]", {"jaccard"}),
        ("needle_recall", {"needle_recall"}),
        ("all", {"recall", "needle_recall", "jaccard"}),
        ("[]", set()),
    ],
)
def test_the_chosen_metrics_are_drawn(tmp_path: Path, chosen: str, drawn_metrics: set[str]) -> None:
    folder = run_folder(tmp_path, a_ranking(), CONFIG.replace("k: 10", f"k: 10\n  metrics: {chosen}"))
    assert draw(folder) == []
    found = drawn(tmp_path)
    assert {name.removesuffix("_at_10_layers") for name in found if name.endswith("_layers")} == drawn_metrics
    assert ("jaccard_at_10_between" in found) == ("jaccard" in drawn_metrics)
    assert "grid_needle_recall_at_10" in found


def test_without_recall_and_spearman_the_first_metric_is_drawn(tmp_path: Path) -> None:
    tables = a_ranking()
    metrics, summary = (each[each["metric"] != "recall"] for each in (tables.metrics, tables.summary))
    assert draw(run_folder(tmp_path, replace(tables, metrics=metrics, summary=summary))) == []
    assert "needle_recall_at_10_layers" in drawn(tmp_path)
    assert "jaccard_at_10_layers" not in drawn(tmp_path)


def test_an_accuracy_run_has_its_pictures_and_of_longbench_the_published_table(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, with_depths(accuracy_tables(FEW)))
    assert draw(folder) == []
    grids = {f"grid_{metric}_at_{keep}" for keep in (10, 20, 40) for metric in ("accuracy", "loss")}
    against = {f"{measure}_against_{cost}" for cost in ("flops", "kv") for measure in ("accuracy", "loss")}
    assert drawn(tmp_path) == against | grids
    assert "| claa | 10 | 47.13 |" in folder.published.read_text()


def test_a_fidelity_run_has_its_pictures_and_is_not_set_beside_published_accuracy(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, with_depths(fidelity_tables(FEW)))
    assert draw(folder) == []
    against = {f"{measure}_against_{cost}" for cost in ("flops", "kv") for measure in ("loss", "kl")}
    assert drawn(tmp_path) == against | {f"grid_loss_at_{keep}" for keep in (10, 20, 40)}
    assert not folder.published.exists()
    assert printed(folder).splitlines()[-1] == "12 prompts measured with every contestant, 0 not"


def test_prompts_of_another_task_are_not_set_beside_published_ones(tmp_path: Path) -> None:
    tables = accuracy_tables(prompts=2)
    mixed = tables.samples.assign(task=["longbench/qasper", "niah"])
    folder = run_folder(tmp_path, replace(tables, samples=mixed))
    assert draw(folder) == []
    assert not folder.published.exists()


def test_a_ttft_run_has_its_pictures(tmp_path: Path) -> None:
    assert draw(run_folder(tmp_path, ttft_tables())) == []
    assert drawn(tmp_path) == {"ttft_against_length", "ttft_ratio_against_flops"}


@pytest.mark.parametrize("tables", [ranked(), as_tables(samples=[{"id": "s", "task": "niah", "status": "failed"}])])
def test_where_nothing_was_measured_nothing_is_drawn(tmp_path: Path, tables: Tables) -> None:
    folder = run_folder(tmp_path, tables)
    assert draw(folder) == []
    assert not folder.plots.exists()
    assert printed(folder).startswith("no prompt could be measured")


def test_another_k_draws_other_pictures(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, a_ranking())
    draw(folder, k=5)
    assert "recall_at_5_layers" in drawn(tmp_path)
    assert "recall@5 " in printed(folder, k=5)
    for act in (draw, printed):
        with pytest.raises(ValueError, match=r"k is 7, must be one of this run's: 5, 10"):
            act(folder, k=7)


def test_a_picture_that_fails_is_one_line_and_the_others_are_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*arguments: object) -> None:
        raise ValueError("no such\nlayer")

    monkeypatch.setattr("tokenrank.report.pictures.plots.heat_map", fails)
    monkeypatch.setattr("tokenrank.report.evaluation_report.ranking_grids", fails)
    said = draw(run_folder(tmp_path, a_ranking()), metrics="all")
    assert said == [
        *(
            f"plots/{name}_at_10_heatmap was not drawn: no such layer"
            for name in ("recall", "needle_recall", "jaccard")
        ),
        "plots of the needle grid were not drawn: no such layer",
    ]
    assert {"recall_at_10_layers", "jaccard_at_10_between"} <= drawn(tmp_path)


def test_it_says_what_is_being_drawn(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG", logger="tokenrank"):
        draw(run_folder(tmp_path, ttft_tables()))
    assert caplog.messages == ["drawing plots/ttft_against_length", "drawing plots/ttft_ratio_against_flops"]


def hostile(tables: Tables, sample: str, heuristic: str) -> Tables:
    """The tables with a model, a sample and a heuristic of that name."""
    metrics, summary = (
        each.assign(model=HOSTILE, sample=each["sample"].replace({sample: HOSTILE}))
        for each in (tables.metrics, tables.summary)
    )
    samples = tables.samples.assign(id=tables.samples["id"].replace({sample: HOSTILE}))
    return renamed(replace(tables, metrics=metrics, summary=summary, samples=samples), heuristic, HOSTILE)


@pytest.mark.parametrize(
    ("make", "sample", "heuristic"),
    [(a_ranking, "a", "claa_n1"), (accuracy_tables, "s0", "claa"), (ttft_tables, "n4096", "claa")],
)
def test_names_may_hold_what_mathtext_takes_for_formulas(
    tmp_path: Path, make: Callable[[], Tables], sample: str, heuristic: str
) -> None:
    folder = run_folder(tmp_path, hostile(make(), sample, heuristic))
    assert draw(folder) == []
    assert drawn(tmp_path)
    assert HOSTILE in printed(folder)


def test_the_printed_table_has_its_notes_below(tmp_path: Path) -> None:
    environment = {"units": [f"s{number}" for number in range(60)]}
    text = printed(run_folder(tmp_path, accuracy_tables(), environment=environment))
    assert text.splitlines()[0].startswith("tiny on longbench")
    assert text.splitlines()[-2:] == [
        "12 prompts answered by every contestant, 0 not",
        "half a run: 12 of 60 units are done",
    ]
    assert printed(run_folder(tmp_path / "ttft", ttft_tables())).startswith("tiny: time to first token")
    assert printed(run_folder(tmp_path / "ranking", a_ranking())).startswith(
        "mean over layers, its 95 % interval and (worst layer)"
    )


def test_an_error_that_a_terminal_would_obey_is_printed_escaped(tmp_path: Path) -> None:
    tables = a_ranking()
    samples = tables.samples.assign(status="failed", error="no \x1b]0;pwned\x07\u202e")
    text = printed(run_folder(tmp_path, replace(tables, samples=samples)))
    assert r"no \x1b]0;pwned\x07\u202e" in text
    assert all(each == "\n" or each.isprintable() for each in text)


def test_every_line_fits_a_terminal_and_says_where_the_rest_is(tmp_path: Path) -> None:
    environment = {"units": [f"s{number}" for number in range(60)]}
    for number, tables in enumerate((a_ranking(), accuracy_tables(), fidelity_tables(), ttft_tables())):
        folder = run_folder(tmp_path / str(number), tables, environment=environment)
        lost = tables.samples.assign(status="failed", error="a reason that is said in many words " * 9)
        for each in (tables, replace(tables, samples=lost)):
            folder.write_tables(each)
            assert max(map(len, printed(folder).splitlines())) <= 80
        assert "summary.md" not in printed(folder)
        (folder.path / "summary.md").touch()
        assert printed(folder).splitlines()[-1] == "all metrics: summary.md"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("answer: reference", "answer=reference: the task's reference answers are fed, in place of the model's own"),
        ("answers: mine.jsonl", "answers=FILE: the answers of mine.jsonl are fed, in place of the model's own"),
        ("answer: generated\nanswers: null", "tiny on longbench"),
    ],
)
def test_the_heading_says_whose_answer_was_fed(tmp_path: Path, setting: str, said: str) -> None:
    folder = run_folder(tmp_path, fidelity_tables(), f"{CONFIG}{setting}\n")
    assert " ".join(printed(folder).split()).startswith(said)


def test_half_a_run_is_drawn(tmp_path: Path) -> None:
    tables = a_ranking()
    half = Tables(
        *(
            each[each["sample"] != "b"] if "sample" in each else each[each["id"] != "b"]
            for each in vars(tables).values()
        )
    )
    assert draw(run_folder(tmp_path, half, environment={"units": ["a", "b"]})) == []
    assert "half a run: 1 of 2 units are done" in printed(run_folder(tmp_path, half, environment={"units": ["a", "b"]}))


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, a_ranking())
    (tmp_path / "summary.parquet").unlink()
    for act in (draw, printed):
        with pytest.raises(ValueError, match=r"has no summary\.parquet"):
            act(folder)
    (tmp_path / "environment.json").unlink()
    for act in (draw, printed):
        with pytest.raises(ValueError, match="is no run folder"):
            act(folder)
