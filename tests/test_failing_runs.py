"""What fails inside a run is recorded with its reason, and all that can still be measured is; sweeps go on."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from tests.command import SMALL, Command
from tokenrank.models.tiny import Tiny


def test_a_heuristic_from_outside_runs_beside_ours(
    tokenrank: Command, tmp_path: Path, outside: str, no_pictures: None
) -> None:
    ended = tokenrank("--config-dir", outside, *SMALL, "heuristic=[backwards,sinks]")
    assert ended.code == 0, ended.err
    table = pd.read_parquet(tmp_path / "run" / "metrics.parquet")
    ours, theirs = (table.loc[table["heuristic"] == name, "value"].tolist() for name in ("sinks", "backwards"))
    assert theirs == ours
    assert len(ours) > 0


TWO = ("heuristic=backwards", "task.lengths=[300,350]", "task.depths=[0]")


def test_a_prompt_with_nan_scores_fails_by_name_and_the_others_go_on(
    tokenrank: Command, tmp_path: Path, outside: str
) -> None:
    ended = tokenrank("--config-dir", outside, *SMALL, *TWO, "heuristic.backwards.broken_tokens=350")
    assert ended.code == 1
    assert (
        ended.err.splitlines()[-1]
        == f"error: 1 of 2 prompts failed, wholly or in part; {tmp_path / 'run' / 'run.log'} says why, and the same command tries them again"
    )
    assert "1 prompt ranked, 1 failed" in ended.out
    samples = pd.read_parquet(tmp_path / "run" / "samples.parquet").set_index("id")
    assert list(samples["status"]) == ["ok", "failed"]
    error = samples.loc["niah_350_0_0", "error"]
    assert "heuristic backwards, layer 2, sample niah_350_0_0" in str(error)
    assert set(pd.read_parquet(tmp_path / "run" / "metrics.parquet")["sample"].dropna()) == {"niah_300_0_0"}
    assert len(list((tmp_path / "run" / "records").iterdir())) == 2


@pytest.mark.parametrize("evaluation", ["ranking", "accuracy", "ttft"])
def test_the_traceback_of_somebody_elses_exception_is_in_the_log(
    tokenrank: Command, tmp_path: Path, outside: str, no_pictures: None, evaluation: str
) -> None:
    timed = (
        "model=tiny",
        "heuristic=backwards",
        "task.lengths=[300,350]",
        "task.max_new_tokens=2",
        "evaluation.repeats=1",
    )
    given = timed if evaluation == "ttft" else (*SMALL, *TWO)
    broken = (f"evaluation={evaluation}", "heuristic.backwards.raising_tokens=350", "prefill.keep=[20]")
    ended = tokenrank("--config-dir", outside, *given, *broken)
    assert ended.code == 1
    assert "Traceback" not in ended.err
    samples = pd.read_parquet(tmp_path / "run" / "samples.parquet")
    assert list(samples["status"]) == ["ok", "failed"]
    assert "somebody else's error" in samples["error"][1]
    log = (tmp_path / "run" / "run.log").read_text()
    assert "Traceback (most recent call last)" in log
    assert "outside_heuristics.py" in log
    assert "LookupError: somebody else's error" in log


@pytest.mark.parametrize(
    ("evaluation", "answer"),
    [("ranking", "generated"), ("ranking", "reference"), ("accuracy", "generated"), ("ttft", "generated")],
)
def test_a_model_whose_logits_are_nan_has_no_answers_and_every_prompt_fails_with_the_reason(
    tokenrank: Command, tmp_path: Path, no_pictures: None, evaluation: str, answer: str
) -> None:
    broken: Any = Tiny().model()
    broken.get_output_embeddings().weight.data[7, 0] = torch.nan
    broken.save_pretrained(tmp_path / "model")
    Tiny().tokenizer().save_pretrained(tmp_path / "model")
    timed = ("model=tiny", "heuristic=claa", "task.lengths=[300]", "task.max_new_tokens=2", "evaluation.repeats=1")
    given = timed if evaluation == "ttft" else (*SMALL, f"answer={answer}")
    ended = tokenrank(f"evaluation={evaluation}", *given, f"model.path={tmp_path / 'model'}")
    assert ended.code == 1, ended.err
    samples, metrics = (pd.read_parquet(tmp_path / "run" / f"{name}.parquet") for name in ("samples", "metrics"))
    assert set(samples["status"]) == {"failed"}
    assert samples["error"].str.contains("answer token 0: the model's logits are NaN, must be finite").all()
    assert metrics.empty


def test_a_failed_prompt_does_not_count_between_layers(
    tokenrank: Command, tmp_path: Path, outside: str, no_pictures: None
) -> None:
    chosen = ("heuristic=[claa,backwards]", "metric=[recall,jaccard]", "heuristic.backwards.broken_tokens=350")
    found = []
    for name, lengths, code in (("both", "[300,350]", 1), ("one", "[300]", 0)):
        places = (f"task.lengths={lengths}", "task.depths=[0]", f"hydra.run.dir={tmp_path / name}")
        assert tokenrank("--config-dir", outside, *SMALL, *chosen, *places).code == code
        table = pd.read_parquet(tmp_path / name / "summary.parquet")
        found.append(table[table["other_layer"].notna()].reset_index(drop=True))
    assert len(found[0]) == 2 * 2 * 6  # heuristics, k, pairs of 4 layers
    pd.testing.assert_frame_equal(found[0], found[1])


def test_a_run_in_which_every_prompt_fails_still_leaves_its_tables(
    tokenrank: Command, tmp_path: Path, outside: str
) -> None:
    ended = tokenrank("--config-dir", outside, *SMALL, "heuristic=backwards", "heuristic.backwards.broken_tokens=300")
    assert ended.code == 1
    assert "no prompt could be measured" in ended.out
    assert len(pd.read_parquet(tmp_path / "run" / "metrics.parquet")) == 0
    assert (pd.read_parquet(tmp_path / "run" / "samples.parquet")["status"] == "failed").all()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (RuntimeError("made up"), "an error of tokenrank's own, please report it with "),
        (OSError("disk full"), "the run broke off: disk full"),
    ],
)
def test_an_unexpected_error_is_one_sentence_code_1_and_a_traceback_in_the_log(
    tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, sentence: str
) -> None:
    def collect(*_: object) -> None:
        raise error

    monkeypatch.setattr("tokenrank.work.collecting.collect", collect)
    ended = tokenrank(*SMALL)
    assert ended.code == 1
    assert ended.err.splitlines()[-1].startswith(f"error: {sentence}")
    assert ended.err.count(str(error)) == 1
    assert "Traceback" not in ended.err
    log = (tmp_path / "run" / "run.log").read_text()
    assert "Traceback" in log
    assert f"{type(error).__name__}: {error}" in log
    assert len(list((tmp_path / "run" / "records").iterdir())) == 2


def test_a_picture_that_fails_is_a_warning(tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokenrank.report.pictures.plots.heat_map", None)
    ended = tokenrank(*SMALL)
    assert ended.code == 0
    assert "plots/recall_at_10_heatmap was not drawn" in ended.err
    assert (tmp_path / "run" / "plots" / "recall_at_10_layers.png").is_file()


def test_a_sweep_makes_a_folder_a_run(tokenrank: Command, tmp_path: Path, no_pictures: None) -> None:
    ended = tokenrank("-m", *SMALL, "heuristic=claa,gemfilter", f"hydra.sweep.dir={tmp_path / 'sweep'}")
    assert ended.code == 0, ended.err
    tables = [pd.read_parquet(file) for file in sorted((tmp_path / "sweep").glob("*/metrics.parquet"))]
    assert [set(table["heuristic"].dropna()) for table in tables] == [{"claa"}, {"gemfilter"}]


def test_a_failing_run_does_not_stop_a_sweep(
    tokenrank: Command, tmp_path: Path, outside: str, no_pictures: None
) -> None:
    ended = tokenrank("-m", *SMALL, "universe.window=999,8", f"hydra.sweep.dir={tmp_path / 'sweep'}")
    assert ended.code == 2
    said = [line for line in ended.err.splitlines() if "universe.window=999" in line]
    assert said[0].startswith("model=tiny")
    assert [folder.name.rpartition("_")[0] for folder in (tmp_path / "sweep").iterdir() if folder.is_dir()] == [
        "universe.window=8"
    ]
    assert len(list((tmp_path / "sweep").glob("universe.window=8_*/metrics.parquet"))) == 1
    broken = (
        "heuristic=backwards",
        "heuristic.backwards.raising_tokens=300,0",
        f"hydra.sweep.dir={tmp_path / 'second'}",
    )
    ended = tokenrank("-m", "--config-dir", outside, *SMALL, *broken)
    assert ended.code == 1
    assert "2 of 2 prompts failed" in ended.err
    assert len(list((tmp_path / "second").glob("*/metrics.parquet"))) == 2
