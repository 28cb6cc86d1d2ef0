"""The command as a user types it: what it measures and repeats, and what it says meanwhile."""

from pathlib import Path

import pandas as pd
import pytest
from omegaconf import OmegaConf
from transformers import PreTrainedModel

from tests.command import ROOT, SMALL, Command
from tokenrank.models.tiny import byte_tokenizer


def test_it_says_what_it_does_what_came_of_it_and_where_that_is(tokenrank: Command, tmp_path: Path) -> None:
    ended = tokenrank(*SMALL)
    said = [line for line in ended.err.splitlines() if "tokens/s]" not in line]
    assert said[0] == "starting"
    assert said[1] == "reading the tokenizer and the config of tiny"
    assert "loading tiny" in said
    assert said[-3:] == ["drawing the pictures", "writing the tables", "writing report.html"]
    printed = ended.out.splitlines()
    assert "recall@10" in ended.out
    assert "claa" in ended.out
    assert printed[-4:] == [
        "2 prompts ranked, 0 failed",
        "all metrics: summary.md",
        f"tables and plots in {tmp_path / 'run'}",
        f"all of it on one page: {tmp_path / 'run' / 'report.html'}",
    ]


@pytest.mark.parametrize("evaluation", ["accuracy", "fidelity", "ttft"])
def test_the_other_evaluations_end_in_the_same_way(tokenrank: Command, tmp_path: Path, evaluation: str) -> None:
    timed = ["task.lengths=[200]", "task.max_new_tokens=2", "evaluation.repeats=1"]
    given = timed if evaluation == "ttft" else SMALL[1:]
    ended = tokenrank("model=tiny", f"evaluation={evaluation}", "heuristic=claa", "prefill.keep=[20]", *given)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[-2:] == [
        f"tables and plots in {tmp_path / 'run'}",
        f"all of it on one page: {tmp_path / 'run' / 'report.html'}",
    ]
    runs = pd.read_parquet(tmp_path / "run" / "runs.parquet")
    assert set(runs["engine"]) == {"full", "layerwise@claa"}


def test_the_same_config_and_seed_give_the_same_bytes(tokenrank: Command, tmp_path: Path, no_pictures: None) -> None:
    tables = []
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        tokenrank(*SMALL, "heuristic=all", f"seed={seed}", f"hydra.run.dir={tmp_path / folder}")
        tables.append([(tmp_path / folder / f"{name}.parquet").read_bytes() for name in ("metrics", "summary")])
    assert tables[0] == tables[1]
    assert tables[0][0] != tables[2][0]


def test_a_method_scores_the_same_alone_and_beside_others(
    tokenrank: Command, tmp_path: Path, no_pictures: None
) -> None:
    tokenrank(*SMALL, "heuristic=gemfilter", f"hydra.run.dir={tmp_path / 'alone'}")
    tokenrank(*SMALL, "heuristic=all", f"hydra.run.dir={tmp_path / 'all'}")
    alone, together = (pd.read_parquet(tmp_path / folder / "metrics.parquet") for folder in ("alone", "all"))
    wanted, found = (each[each["heuristic"] == "gemfilter"].reset_index(drop=True) for each in (alone, together))
    pd.testing.assert_frame_equal(found, wanted)
    names = {file.stem for file in (ROOT / "configs" / "heuristic").glob("*.yaml")}
    assert set(together["heuristic"].dropna()) == names - {"kvpress"}


def test_tables_name_a_model_by_its_path(tokenrank: Command, tmp_path: Path, tiny_model: PreTrainedModel) -> None:
    tiny_model.save_pretrained(tmp_path / "some-model")
    byte_tokenizer().save_pretrained(tmp_path / "some-model")
    ended = tokenrank("model=smollm2", f"model.path={tmp_path / 'some-model'}", *SMALL[1:])
    assert ended.code == 0, ended.err
    assert set(pd.read_parquet(tmp_path / "run" / "metrics.parquet")["model"]) == {"some-model"}


def test_the_reference_answer_can_be_fed_instead_of_generated(
    tokenrank: Command, tmp_path: Path, no_pictures: None
) -> None:
    (tmp_path / "prompts.jsonl").write_text(
        '{"id": "a", "prompt": "What is two plus two, and why?", "answers": ["four"]}\n'
    )
    given = ("model=tiny", "task=prompts", f"task.path={tmp_path / 'prompts.jsonl'}", "metric=recall")
    ended = tokenrank(*given, "answer=reference")
    assert ended.code == 0, ended.err
    sample = pd.read_parquet(tmp_path / "run" / "samples.parquet").iloc[0]
    assert sample["answer"] == "four"
    assert sample["answer_tokens"] == 4  # bytes


def test_fields_that_are_not_read_are_named(tokenrank: Command, tmp_path: Path, no_pictures: None) -> None:
    (tmp_path / "prompts.jsonl").write_text(
        '{"id": "a", "prompt": "a prompt that is fine", "answer": "x", "\\u001b]0;a": 1}\n'
    )
    given = ("model=tiny", "task=prompts", f"task.path={tmp_path / 'prompts.jsonl'}", "metric=recall")
    ended = tokenrank(*given, "task.max_new_tokens=2")
    assert ended.code == 0, ended.err
    assert r"not read: '\x1b]0;a', answer (optional are id, answers" in ended.err
    assert "\x1b" not in ended.err


def test_the_paper_experiment_pins_the_authors_settings_for_whichever_are_chosen(
    tokenrank: Command, tmp_path: Path
) -> None:
    small = [each for each in SMALL if not each.startswith("k=")]
    ended = tokenrank(*small, "experiment=paper_rankings", "heuristic=claa", "task.depths=[0]")
    assert ended.code == 0, ended.err
    config = OmegaConf.load(tmp_path / "run" / "config.yaml")
    assert OmegaConf.to_container(config.heuristic) == {
        "claa": {"_target_": "tokenrank.heuristics.claa.CLAA", "n": 4, "window": 8, "kernel": 13, "heads": "sum"}
    }
