"""The benchmark's records are those of a run with all metrics, and its stages make the tables of all of them."""

from pathlib import Path

import pytest

from scripts.bench_collect import ALL, AT_K, PERCENTS, config_text, rows_of_a_prompt, stage, write_records
from tests.plans import composed
from tokenrank.records.run_folder import RunFolder

PROMPTS, LAYERS, HEURISTICS = 4, 3, 2
SERIES = len(AT_K) * len(PERCENTS) + len(ALL) - len(AT_K)


def test_its_metrics_are_all_metrics() -> None:
    chosen = composed("metric=all").metric
    assert list(chosen) == list(ALL)
    assert tuple(name for name, metric in chosen.items() if metric.at_k) == tuple(name for name in ALL if name in AT_K)
    assert list(composed().k) == PERCENTS


def test_a_prompt_has_its_chance_levels_layers_and_pairs_of_layers() -> None:
    rows = rows_of_a_prompt(LAYERS, HEURISTICS)
    pairs = [row for row in rows if "other_layer" in row]
    assert len(pairs) == HEURISTICS * len(PERCENTS) * 3
    assert sum("heuristic" not in row for row in rows) == SERIES
    assert len(rows) - len(pairs) - SERIES == HEURISTICS * (SERIES * LAYERS - len(PERCENTS))


def test_every_stage_ends_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = RunFolder(tmp_path)
    total = write_records(folder, PROMPTS, LAYERS, HEURISTICS)
    assert total == PROMPTS * len(rows_of_a_prompt(LAYERS, HEURISTICS))
    for name in ("collect", "print", "draw"):
        stage(name, folder)
        processor, peak = map(float, capsys.readouterr().out.split()[-2:])
        assert processor > 0
        assert peak > 10
    tables = folder.tables()
    assert len(tables.samples) == tables.metrics["sample"].nunique() == PROMPTS
    assert len(tables.summary[tables.summary["sample"].notna()]) == PROMPTS * HEURISTICS * SERIES * 6
    assert (tmp_path / "plots" / "recall_at_10_layers.png").is_file()
    assert "plots" in config_text()
