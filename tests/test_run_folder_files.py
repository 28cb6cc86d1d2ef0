"""What a run leaves in its folder, and what of another's it leaves alone."""

import json
from pathlib import Path

import pandas as pd
import pytest
from omegaconf import OmegaConf
from safetensors.torch import load_file

from tests.command import SMALL, Command, refused
from tokenrank.records.record import read_record
from tokenrank.records.run_folder import FORMAT, RunFolder
from tokenrank.records.schema import METRICS, RUNS, SAMPLES, SUMMARY

IDS = ("niah_300_0_0", "niah_300_50_0")
TABLES = {"metrics.parquet", "summary.parquet", "samples.parquet", "runs.parquet"}


def test_a_run_folder_holds_what_its_readme_says(tokenrank: Command, tmp_path: Path) -> None:
    ended = tokenrank(*SMALL, "heuristic=[claa,oracle]", "save_rankings=true")
    assert ended.code == 0, ended.err
    run = tmp_path / "run"
    names = {str(file.relative_to(run)) for file in run.rglob("*") if file.is_file()}
    rankings = {f"rankings/{name}.safetensors" for name in IDS}
    records = {f"{kind}/{name}.parquet" for name in IDS for kind in ("records", "levels")}
    drawn = [f"recall_at_10_{kind}" for kind in ("layers", "heatmap", "prompts", "variance")]
    plots = {f"plots/{name}.{end}" for name in (*drawn, "grid_accuracy") for end in ("png", "pdf")} | {"plots/index.md"}
    reports = {"report.html", "report.md", "report.tex", "report.csv", "summary.md"}
    assert names == {"config.yaml", "environment.json", "run.log"} | reports | TABLES | rankings | records | plots


def test_a_run_ends_by_naming_its_page_unless_it_is_to_have_none(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tokenrank.report.whole.draw", lambda folder, **_: [])
    page = tmp_path / "run" / "report.html"
    ended = tokenrank(*SMALL, "report=false")
    assert (ended.code, page.exists(), "report.html" in ended.out) == (0, False, False), ended.err
    ended = tokenrank(*SMALL)  # a finished run writes what it lacks
    assert (ended.code, page.exists()) == (0, True), ended.err
    assert f"all of it on one page: {page}" in ended.out
    before = page.stat().st_mtime_ns
    assert tokenrank(*SMALL).code == 0
    assert page.stat().st_mtime_ns == before


def test_a_page_that_fails_costs_nothing_else(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(folder: object, **_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr("tokenrank.report.whole.write_page", broken)
    ended = tokenrank(*SMALL)
    assert ended.code == 0
    assert "report.html was not written: no space" in ended.err
    assert (tmp_path / "run" / "plots").is_dir()
    assert "recall@10" in ended.out


def test_the_metrics_table_is_in_long_form(tokenrank: Command, tmp_path: Path, no_pictures: None) -> None:
    tokenrank(*SMALL, "heuristic=[claa,oracle]")
    table = pd.read_parquet(tmp_path / "run" / "metrics.parquet")
    assert list(table) == list(METRICS)
    ranked = table.dropna(subset=["heuristic"])
    assert set(ranked["metric"]) == {"recall"}
    assert len(ranked) == 2 * 2 * 4 * 2  # prompts, heuristics, layers, k
    assert (ranked.loc[ranked["heuristic"] == "oracle", "value"] == 1).all()
    assert (ranked["windowed"] == False).all()  # noqa: E712
    chance = table[table["heuristic"].isna()]
    assert len(chance) == 2 * 2  # prompts, k
    assert chance[["layer", "windowed", "engine", "keep"]].isna().all(axis=None)


def test_the_summary_says_what_follows_over_layers_and_prompts(
    tokenrank: Command, tmp_path: Path, no_pictures: None
) -> None:
    tokenrank(*SMALL, "heuristic=[claa,oracle]")
    table = pd.read_parquet(tmp_path / "run" / "summary.parquet")
    assert list(table) == list(SUMMARY)
    of_prompts = table[table["sample"].notna() & table["heuristic"].notna()]
    assert of_prompts["layer"].isna().all()
    assert set(of_prompts["statistic"]) == {"mean", "std", "worst", "worst_layer", "worst_drop", "neighbour_drop"}


def test_the_samples_table_and_the_environment_say_what_ran(
    tokenrank: Command, tmp_path: Path, no_pictures: None
) -> None:
    tokenrank(*SMALL)
    samples = pd.read_parquet(tmp_path / "run" / "samples.parquet")
    assert list(samples) == list(SAMPLES)
    assert list(pd.read_parquet(tmp_path / "run" / "runs.parquet")) == list(RUNS)
    assert list(samples["id"]) == [*IDS]
    assert (samples["tokens"] == 300).all()
    assert list(samples["depth"]) == [0, 50]
    assert (samples["status"] == "ok").all()
    assert samples["error"].isna().all()
    assert (samples[["prefill_seconds", "oracle_seconds", "metrics_seconds", "seconds"]] > 0).all(axis=None)
    found = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert found["format"] == FORMAT
    assert list(found["units"].items()) == list(zip(samples["id"], samples["key"], strict=True))
    assert [each["host"] for each in found["commands"]] == [found["host"]]
    assert (found["device"], found["seed"]) == ("cpu", 0)
    assert found["packages"]["torch"]
    assert OmegaConf.load(tmp_path / "run" / "config.yaml").heuristic.claa.n == 4


def test_a_record_is_a_unit_of_its_own(tokenrank: Command, tmp_path: Path, no_pictures: None) -> None:
    tokenrank(*SMALL)
    record = read_record(tmp_path / "run" / "records" / f"{IDS[1]}.parquet")
    assert (record.unit, record.number) == (IDS[1], 1)
    assert record.sample["status"] == "ok"
    metrics = pd.read_parquet(tmp_path / "run" / "metrics.parquet")
    own = record.rows[[*METRICS]].reset_index(drop=True)
    pd.testing.assert_frame_equal(own, metrics[metrics["sample"] == IDS[1]].reset_index(drop=True))


def test_saved_rankings_hold_ids_truth_and_one_row_a_layer(
    tokenrank: Command, tmp_path: Path, no_pictures: None
) -> None:
    tokenrank(*SMALL, "heuristic=[claa,oracle]", "save_rankings=true")
    saved = load_file(tmp_path / "run" / "rankings" / f"{IDS[1]}.safetensors")
    assert set(saved) == {"input_ids", "answer_ids", "oracle", "heuristic.claa", "heuristic.oracle"}
    assert saved["oracle"].shape == (1, 300)
    assert saved["heuristic.claa"].shape == (4, 300)
    assert str(saved["heuristic.claa"].dtype) == "torch.float32"
    assert 1 <= len(saved["answer_ids"]) <= 4


def test_overwriting_removes_the_run_that_was_there_and_nothing_else(
    tokenrank: Command, tmp_path: Path, no_pictures: None
) -> None:
    tokenrank(*SMALL, "save_rankings=true")
    (tmp_path / "run" / "notes.txt").write_text("mine")
    ended = tokenrank(*SMALL, "task.depths=[100]", "overwrite=true")
    assert ended.code == 0, ended.err
    assert not list((tmp_path / "run" / "rankings").glob("*.safetensors"))
    assert [file.name for file in (tmp_path / "run" / "levels").iterdir()] == ["niah_300_100_0.parquet"]
    assert [file.name for file in (tmp_path / "run" / "records").iterdir()] == ["niah_300_100_0.parquet"]
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"
    assert list(pd.read_parquet(tmp_path / "run" / "samples.parquet")["id"]) == ["niah_300_100_0"]


def test_bad_input_leaves_an_earlier_run_as_it_was(tokenrank: Command, tmp_path: Path, no_pictures: None) -> None:
    tokenrank(*SMALL)
    before = {file: file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()}
    assert tokenrank(*SMALL, "universe.window=999").code == 2
    assert {file: file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()} == before


def test_a_folder_of_somebody_elses_other_files_can_be_written_into(
    tokenrank: Command, tmp_path: Path, no_pictures: None
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    assert tokenrank(*SMALL).code == 0
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.yaml", "mine"),
        ("environment.json", '{"a": 1}'),
        ("metrics.parquet", "mine"),
        ("plots/mine.png", "mine"),
    ],
)
def test_a_folder_that_holds_what_looks_like_ours_is_left_as_it_is(
    tokenrank: Command, tmp_path: Path, name: str, content: str
) -> None:
    file = tmp_path / "theirs" / name
    file.parent.mkdir(parents=True)
    file.write_text(content)
    ended = tokenrank(*SMALL, f"hydra.run.dir={tmp_path / 'theirs'}")
    refused(ended, f"{tmp_path / 'theirs'} holds {name.split('/')[0]}, which no run of this version wrote", tmp_path)
    assert file.read_text() == content
    assert [each for each in (tmp_path / "theirs").rglob("*") if each.is_file()] == [file]


def test_a_link_in_the_folder_is_not_followed(tokenrank: Command, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine.png").write_text("mine")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "plots").symlink_to(tmp_path / "elsewhere")
    ended = tokenrank(*SMALL, f"hydra.run.dir={tmp_path / 'theirs'}")
    refused(ended, f"{tmp_path / 'theirs' / 'plots'} is a link", tmp_path)
    assert (tmp_path / "elsewhere" / "mine.png").read_text() == "mine"


def test_a_file_in_the_place_of_the_folder_is_named(tokenrank: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file", tmp_path / "file" / "run"):
        refused(tokenrank(*SMALL, f"hydra.run.dir={place}"), "hydra.run.dir cannot be made: [Errno", tmp_path)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_whose_lock_another_process_keeps_is_refused_in_the_end(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tokenrank.records.run_folder.PATIENCE", 0.2)
    with RunFolder(tmp_path / "both").locked():
        ended = tokenrank(*SMALL, f"hydra.run.dir={tmp_path / 'both'}")
        refused(ended, f"another process has been writing tables into {tmp_path / 'both'}", tmp_path)
    assert not (tmp_path / "both").exists()
