"""experiment=oracle_validity: one command measures every truth on real prompts and on needles, a run each."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.command import Command

SUBSETS = [
    "hotpotqa",
    "2wikimqa",
    "musique",
    "multifieldqa_en",
    "gov_report",
    "multi_news",
    "trec",
    "lcc",
    "repobench-p",
]
TRUTHS = {"attention", "ablation", "gradient", "regression"}


@pytest.fixture
def longbench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with one prompt a subset, of which the environment tells."""
    data = tmp_path / "data"
    data.mkdir()
    for subset in SUBSETS:
        line = {
            "input": "Who?",
            "context": "Ada wrote it. " * 20,
            "answers": ["Ada"],
            "all_classes": None,
            "length": 60,
        }
        (data / f"{subset}.jsonl").write_text(json.dumps(line))
    (data / "dataset2prompt.json").write_text(json.dumps(dict.fromkeys(SUBSETS, "{context} {input}")))
    (data / "dataset2maxlen.json").write_text(json.dumps(dict.fromkeys(SUBSETS, 8)))
    monkeypatch.setenv("LONGBENCH", str(data))


def test_one_command_measures_truths_on_real_prompts_and_on_needles(
    tokenrank: Command, longbench: None, no_pictures: None, tmp_path: Path
) -> None:
    given = ["experiment=oracle_validity", "model=tiny", f"hydra.sweep.dir={tmp_path / 'swept'}", "task.samples=2"]
    ended = tokenrank(*given, "masks.count=4", "oracle.regression.masks=4", "report=false", "save_levels=false")
    assert ended.code == 0, ended.err
    tables = {
        pd.read_parquet(file).task.iloc[0].split("/")[0]: file.parent
        for file in tmp_path.glob("swept/*/metrics.parquet")
    }
    assert set(tables) == {"longbench", "niah"}
    for folder in tables.values():
        assert set(pd.read_parquet(folder / "samples.parquet")["universe"]) == {"context"}
        measured = pd.read_parquet(folder / "metrics.parquet")
        assert set(measured["truth"].dropna()) > TRUTHS  # and every heuristic's ranking, by agreement=true
        assert set(measured["metric"]) == {"recall", "spearman", "lds", "drop", "kept"}
        assert {"oracle", *(f"oracle:{name}" for name in TRUTHS - {"attention"})} < set(measured["heuristic"].dropna())
